"""Cases of series, and the rules to beat on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from series_cases import made_case, made_series

from benchmarks.skill.world_cases import world_case
from forecast.evaluation.cases.case import build_case
from forecast.evaluation.cases.plan import case_at, dates_around, older_dates, plan_cases
from forecast.evaluation.methods.method import rule_methods
from forecast.evaluation.methods.rule_probability import RuleProbability
from forecast.evaluation.methods.rules import (
    changed_before,
    climatology,
    linear_trend,
    near,
    texture,
    trended,
)
from forecast.evaluation.scores.results import sections
from forecast.evaluation.scores.roc import area_under_curve
from forecast.evaluation.scoring import (
    by_split,
    place_statistics,
    score_case,
    score_cases,
    scores_of,
)
from preprocessing.simulator import Cover, WorldConfig, simulate_world

YEARLY = tuple(range(1990, 2006))


@given(st.lists(st.integers(1960, 2030), min_size=3, max_size=40, unique=True), st.integers(1, 4))
def test_plans_look_back_and_leave_dates_after(dates: list[int], starts: int) -> None:
    years = np.array(sorted(dates), float)
    plans = plan_cases(years, starts=starts)
    assert plans
    assert len({plan.start for plan in plans}) <= starts
    assert len({(plan.start, plan.target) for plan in plans}) == len(plans)
    for plan in plans:
        assert 0 < plan.start < plan.target < len(years)
        assert plan.before[-1] == plan.start
        assert plan.after[0] == plan.target
        assert max(plan.older) < plan.start
        assert len(plan.before) >= 2
        assert len(plan.after) >= (2 if len(years) > 3 else 1)


def test_dates_of_a_yearly_series_and_of_a_sparse_one() -> None:
    yearly, sparse = np.arange(1984.0, 2020), np.arange(1985.0, 2021, 5)
    assert [dates_around(y) for y in (yearly, sparse, yearly[:8])] == [5, 2, 3]
    assert [int(yearly[i]) for i in older_dates(yearly, 14)] == [1990, 1995]
    assert [int(sparse[i]) for i in older_dates(sparse, 3)] == [1990, 1995]
    horizons = {plan.target - plan.start for plan in plan_cases(yearly)}
    assert {1, 3, 7, 10} <= horizons
    assert plan_cases(yearly[:2]) == []


def test_change_that_swings_back_does_not_last_and_light_is_none() -> None:
    place = made_series(years=YEARLY)
    swinging = place.images.copy()
    swinging[::2, :, 60:72, 40:60] = 250
    case = build_case(replace(place, images=swinging), case_at(place.years, 8, 11, 3))
    built = slice(2 + 8, 2 + 11)  # A front of one cell a year, 8 px at first.
    wanted = np.zeros((24, 24), bool)
    wanted[:, built] = True
    # Light alone would move many cells by more than 20 levels.
    assert (case.event == wanted).mean() > 0.98
    assert not case.event[15:18, 10:15].any()
    assert case.years == 3
    assert case.later_dates == 3
    away = np.abs(case.truth - case.present).mean(axis=0)
    assert away[~wanted].mean() < 6
    assert away[wanted].mean() > 40


def normalise(cells: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The robust quadratic map of colour to colour, written a second time."""
    r, g, b = cells / 128 - 1
    terms = [np.ones_like(r), r, g, b, r * r, g * g, b * b, r * g, r * b, g * b]
    basis, target = np.stack(terms, -1).reshape(-1, 10), reference.reshape(3, -1).T
    weight = np.ones(r.size)
    for _ in range(15):
        weighted = basis * weight[:, None]
        ridge = 1e-5 * len(basis) * np.eye(10)
        beta = np.linalg.solve(basis.T @ weighted + ridge, weighted.T @ target)
        error = np.sqrt(((target - basis @ beta) ** 2).mean(1))
        reach = 3 * max(2.0, 1.48 * np.median(error))
        weight = np.where(error < reach, (1 - (error / reach) ** 2) ** 2, 0) + 1e-4
    return (basis @ beta).T.reshape(reference.shape)


def test_truth_and_rule_agree_with_a_second_writing_of_them() -> None:
    place = made_series(seed=3, years=YEARLY)
    case = build_case(place, case_at(place.years, 9, 12, 3))
    cells = place.images.reshape(-1, 3, 24, 4, 24, 4).mean(axis=(3, 5))
    looks = [normalise(x, cells[9]) if i != 9 else x for i, x in enumerate(cells)]
    apart = [np.sqrt(((looks[a] - looks[b]) ** 2).mean(0)) for a in (12, 13, 14) for b in (7, 8, 9)]
    wanted = np.min(apart, axis=0)
    sure = np.abs(wanted - 20) > 0.05  # Fields are float32.
    np.testing.assert_array_equal(case.event[sure], (wanted > 20)[sure])
    older = [int(np.argmin(np.abs(place.years[:9] - (place.years[9] - age)))) for age in (3, 8)]
    rule = gaussian_filter(
        np.mean([np.abs(looks[9] - looks[i]).mean(0) for i in older], axis=0), 1.5
    )
    np.testing.assert_allclose(changed_before(case), rule, atol=0.02)


def test_what_was_not_seen_is_not_known() -> None:
    place = made_series(years=YEARLY)
    valid = place.valid.copy()
    valid[:, :4] = False
    valid[10, :, 92:] = False
    case = build_case(replace(place, valid=valid), case_at(place.years, 8, 10, 3))
    assert not case.known[0].any()
    assert case.known[1:].all()  # Two later dates are left at the right edge.
    assert not case.seen[:, -1].any()
    assert not case.event[0].any()


def test_a_mask_is_the_truth_where_it_covers_a_quarter_of_a_cell() -> None:
    place = made_series(years=(2015, 2018))
    mask = np.zeros((96, 96), bool)
    mask[:4, :4], mask[8:10, 8:10], mask[20:22, 20:23] = True, True, True
    case = build_case(place, case_at(place.years, 0, 1, 2), mask=mask)
    assert np.argwhere(case.event).tolist() == [[0, 0], [5, 5]]
    assert case.later_dates == 0


def test_changed_before_is_the_smoothed_difference_to_older_dates() -> None:
    case = made_case(earlier=3, older=(0, 2))
    plain = np.mean([np.abs(case.present - case.earlier[i]).mean(axis=0) for i in (0, 2)], axis=0)
    np.testing.assert_allclose(changed_before(case), gaussian_filter(plain, 1.5), rtol=1e-5)
    # A date that saw nothing leaves the other one.
    blind = replace(case, earlier_seen=case.earlier_seen & np.array([1, 1, 0], bool)[:, None, None])
    alone = gaussian_filter(np.abs(case.present - case.earlier[0]).mean(axis=0), 1.5)
    np.testing.assert_allclose(changed_before(blind), alone, rtol=1e-5)
    assert changed_before(replace(case, older=())) is None


def test_rules_of_one_image_and_of_all_dates() -> None:
    case = made_case(earlier=4)
    ramp = np.zeros((3, 24, 24), np.float32) + 5 * np.arange(24, dtype=np.float32)
    np.testing.assert_allclose(texture(replace(case, present=ramp)), 5, rtol=1e-5)
    every = np.concatenate([case.earlier, case.present[None]])
    np.testing.assert_allclose(climatology(case), every.std(axis=0).mean(axis=0), rtol=1e-4)
    steady = replace(
        case,
        present=np.full_like(case.present, 100),
        earlier=np.stack([np.full_like(case.present, 100 - 2 * age) for age in case.ago]),
        years=3.0,
    )
    np.testing.assert_allclose(trended(steady), 106, rtol=1e-5)
    np.testing.assert_allclose(linear_trend(steady), 6, rtol=1e-4)


def test_near_is_the_distance_to_what_is_there() -> None:
    already = np.random.default_rng(0).random((24, 24)) < 0.02
    found = near(made_case(already=already))
    everywhere = np.argwhere(np.ones((24, 24), bool))
    brute = cdist(everywhere, np.argwhere(already)).min(axis=1).reshape(24, 24)
    np.testing.assert_allclose(found, -brute, rtol=1e-6)
    assert near(made_case()) is None


def test_in_a_world_new_built_up_ground_is_the_event() -> None:
    world = simulate_world(WorldConfig(seed=4, width=128, height=128, years=5))
    case = world_case(world, start=2, target=4)
    built = [
        (cover == Cover.BUILT_UP).reshape(32, 4, 32, 4).mean(axis=(1, 3)) > 0.5
        for cover in world.covers
    ]
    np.testing.assert_array_equal(case.already, built[2])
    np.testing.assert_array_equal(case.event, built[4] & ~built[2])
    assert not case.known[built[2]].any()
    assert 2 <= case.start - world.config.start_year < 3
    assert case.later_dates == 0


def drawn(seed: int, **other: object) -> object:
    """A case whose events follow a logistic law of the rule's value."""
    case = made_case(seed=seed, size=60, name=f"place {seed}", **other)
    value = np.log1p(changed_before(case))
    rate = 1 / (1 + np.exp(-(40 * (value - 4.0) - 1.5)))
    event = np.random.default_rng(seed).random((60, 60)) < rate
    return replace(case, event=event), rate


def test_probabilities_follow_the_law_they_were_drawn_from() -> None:
    cases, rates = zip(*(drawn(seed) for seed in range(6)), strict=True)
    fitted = RuleProbability.fit(changed_before, cases[:5])
    assert np.abs(fitted(cases[5]) - rates[5]).mean() < 0.02
    scores = scores_of(score_case(rule_methods(cases[:5])[1].forecast(cases[5]), cases[5]))
    assert scores["lasting_brier_skill"] > 0.2
    assert scores["area_ratio"] == pytest.approx(1, abs=0.1)
    share = RuleProbability.fit(None, cases)
    assert float(share(cases[0]).mean()) == pytest.approx(
        np.mean([case.event.mean() for case in cases]), abs=0.01
    )


def test_probabilities_are_learnt_from_training_places_and_never_from_masks() -> None:
    cases = [drawn(seed)[0] for seed in range(3)]
    fitted = RuleProbability.fit(changed_before, cases)
    others = [
        replace(drawn(0, split="val")[0], event=~cases[0].event),
        replace(cases[1], later_dates=0, event=~cases[1].event),
    ]
    same = RuleProbability.fit(changed_before, [*cases, *others])
    np.testing.assert_array_equal(fitted(cases[0]), same(cases[0]))
    assert RuleProbability.fit(changed_before, others) is None
    # A place of many cases counts like one of few.
    crowd = [replace(cases[2], event=~cases[2].event)] * 9
    np.testing.assert_allclose(
        RuleProbability.fit(changed_before, [cases[0], *crowd])(cases[0]),
        RuleProbability.fit(changed_before, [cases[0], crowd[0]])(cases[0]),
        atol=0.05,
    )


def test_a_front_is_ranked_by_how_near_it_is() -> None:
    place = made_series(years=YEARLY)
    case = build_case(place, case_at(place.years, 8, 11, 3))
    already = np.zeros((24, 24), bool)
    already[:, :10] = True
    ahead = replace(case, already=already, known=~already)
    assert area_under_curve(ahead.event[~already], near(ahead)[~already]) > 0.99


def test_every_place_counts_alike_in_its_split() -> None:
    names = ("north/0", "north/1", "south/0", "east")
    places = [
        made_series(seed=i, years=YEARLY, name=name, split="val" if name == "east" else "train")
        for i, name in enumerate(names)
    ]
    cases = [build_case(p, case_at(p.years, 8, 11, 3)) for p in places]
    cases = [replace(case, event=case.event & (np.arange(24) < 11)) for case in cases]
    statistics = place_statistics(seed=0)
    methods = rule_methods(cases)
    sums = score_cases(cases, methods, statistics)
    backwards = score_cases(cases[::-1], methods, statistics)
    assert sums.pairs == backwards.pairs
    for key, row in sums.sums.items():
        np.testing.assert_allclose(backwards.sums[key], row, rtol=1e-9, atol=1e-12)
    whole = by_split(sums, {"north": "train", "south": "train", "east": "val"})
    found = {s.dataset: s for s in sections(whole, statistics, seed=0, resamples=50)}
    assert set(found) == {"places of training", "other places", "all"}
    method = next(m for m in found["places of training"].methods if m.method == "changed before")
    one = [scores_of(score_case(methods[1].forecast(case), case)) for case in cases]
    auc = [score["lasting_auc"] for score in one]
    wanted = ((auc[0] + auc[1]) / 2 + auc[2]) / 2
    assert method.scores["lasting_auc"].value == pytest.approx(wanted)
