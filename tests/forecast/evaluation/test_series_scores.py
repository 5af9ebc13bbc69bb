"""Scores of whole places against closed forms and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.ndimage import uniform_filter
from scipy.spatial.distance import cdist
from series_cases import made_case

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.dressed import dressed_crps
from forecast.evaluation.scores.harm import Harm
from forecast.evaluation.scores.lasting_change import LastingChange
from forecast.evaluation.scores.pictures import Pictures
from forecast.evaluation.scores.probabilistic import Observations
from forecast.evaluation.scores.roc import area_under_curve
from forecast.evaluation.scores.statistic import Statistic
from forecast.evaluation.scoring import (
    pair_statistics,
    place_statistics,
    score_case,
    scores_of,
)


def scored(statistic: Statistic, forecast: PlaceForecast, *cases: SeriesCase) -> dict:
    total = sum(statistic.sums(forecast, case) for case in cases)
    return {name: float(value) for name, value in statistic.scores(np.asarray(total)).items()}


# Does it do harm


def test_harm_is_the_error_over_that_of_the_present() -> None:
    case = made_case()
    change = case.truth - case.present
    half = PlaceForecast(members=(case.present + 0.5 * change)[None])
    found = scored(Harm(), half, case)
    assert found["harm_mean"] == pytest.approx(0.5, rel=1e-5)
    assert found["harm_representative"] == pytest.approx(0.5, rel=1e-5)
    assert found["harm_share"] == 0
    assert found["rmse_persistence"] == pytest.approx(np.sqrt((change**2).mean()) / 255, rel=1e-5)
    assert found["rmse"] == pytest.approx(found["rmse_persistence"] / 2, rel=1e-5)
    away = PlaceForecast(members=(case.present - change)[None])
    assert scored(Harm(), away, case)["harm_mean"] == pytest.approx(2, rel=1e-5)
    assert scored(Harm(), away, case)["harm_share"] == 1


def test_harm_counts_every_case_alike_and_only_ground_that_is_seen() -> None:
    large, small = made_case(size=24), made_case(size=8, seed=1)
    sums = [
        Harm().sums(PlaceForecast(members=(c.present + k * (c.truth - c.present))[None]), c)
        for c, k in ((large, 0.5), (small, 0.125))
    ]
    # The geometric mean of a half and seven eighths, whatever the sizes.
    mean = float(Harm().scores(sums[0] + sums[1])["harm_mean"])
    assert mean == pytest.approx(np.sqrt(0.5 * 0.875), rel=1e-5)
    seen = np.zeros((24, 24), bool)
    seen[:5] = True
    member = large.present.copy()
    member[:, 5:] = 0
    hidden = scored(Harm(), PlaceForecast(members=member[None]), replace(large, seen=seen))
    assert hidden["harm_mean"] == pytest.approx(1, rel=1e-5)


def test_the_representative_member_is_the_one_nearest_the_mean() -> None:
    rng = np.random.default_rng(3)
    members = rng.normal(100, [[[[30.0]]], [[[5.0]]], [[[40.0]]]], (3, 3, 24, 24))
    assert PlaceForecast(members=members.astype(np.float32)).representative == 1


# Lasting change


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    event = rng.random(200) < 0.2
    score = rng.integers(0, 12, 200) + 3.0 * event  # With ties.
    higher = score[event][:, None] - score[~event][None]
    brute = ((higher > 0) + 0.5 * (higher == 0)).mean()
    assert area_under_curve(event, score) == pytest.approx(brute, abs=1e-12)
    assert area_under_curve(np.arange(200) < 4, score) is None


def test_brier_area_and_merit_by_brute_force() -> None:
    case = made_case(known=np.random.default_rng(1).random((24, 24)) < 0.7)
    p = np.random.default_rng(2).random((24, 24)).astype(np.float32) ** 3
    found = scored(LastingChange(seed=0), PlaceForecast(probability=p), case)
    y, q = case.event[case.known], p[case.known].astype(float)
    share = y.mean()
    assert found["lasting_brier"] == pytest.approx(((q - y) ** 2).mean())
    assert found["lasting_brier_skill"] == pytest.approx(
        1 - ((q - y) ** 2).mean() / (share * (1 - share))
    )
    assert found["area_ratio"] == pytest.approx(q.sum() / y.sum())
    chosen = q >= np.sort(q)[::-1][round(q.sum()) - 1]
    assert found["lasting_merit"] == pytest.approx((chosen & y).sum() / (chosen | y).sum())
    assert found["lasting_auc"] == pytest.approx(area_under_curve(y, q))


def test_the_merit_of_a_random_map_is_what_drawing_gives() -> None:
    case = made_case(size=40)
    flat = PlaceForecast(probability=np.full((40, 40), 0.3, np.float32))
    rows = [LastingChange(seed=seed).sums(flat, case) for seed in range(200)]
    found = LastingChange(seed=0).scores(np.sum(rows, axis=0))
    # 200 draws of 480 cells; the standard error of the mean is 0.0005.
    assert float(found["lasting_merit"]) == pytest.approx(
        float(found["lasting_merit_random"]), abs=0.002
    )


def test_a_reliable_forecast_is_seen_as_one() -> None:
    rng = np.random.default_rng(4)
    p = rng.choice([0.03, 0.25, 0.6], (100, 100)).astype(np.float32)
    case = made_case(size=100, event=rng.random((100, 100)) < p)
    good = scored(LastingChange(seed=0), PlaceForecast(probability=p), case)
    bold = scored(LastingChange(seed=0), PlaceForecast(probability=p.clip(0, 0.3) * 3), case)
    # About p (1 - p) / n by chance in each class.
    assert good["lasting_reliability"] < 3e-4
    assert good["area_ratio"] == pytest.approx(1, abs=0.05)
    three = [(abs(q - case.event[p == q].mean()) ** 2, (p == q).mean()) for q in np.unique(p)]
    assert good["lasting_reliability"] == pytest.approx(sum(a * b for a, b in three), abs=1e-7)
    assert bold["lasting_reliability"] > 20 * good["lasting_reliability"]
    curves = LastingChange(seed=0).curves(
        LastingChange(seed=0).sums(PlaceForecast(probability=p), case)
    )
    known = np.asarray(curves["frequency_share"]) > 0
    assert np.asarray(curves["probability"])[known] == pytest.approx([0.03, 0.25, 0.6], abs=1e-6)
    assert sum(curves["frequency_share"]) == pytest.approx(1)


def test_the_skill_of_the_true_share_is_none_and_of_the_truth_all() -> None:
    case = made_case()
    share = np.full((24, 24), case.event.mean(), np.float32)
    truth = case.event.astype(np.float32)
    found = [
        scored(LastingChange(seed=0), PlaceForecast(probability=p), case) for p in (share, truth)
    ]
    assert found[0]["lasting_brier_skill"] == pytest.approx(0, abs=1e-6)
    assert found[0]["lasting_auc"] == 0.5
    assert found[1]["lasting_brier_skill"] == 1
    assert found[1]["lasting_merit"] == 1
    assert found[1]["lasting_auc"] == 1


# Observations


def test_crps_by_brute_force_and_of_a_single_member() -> None:
    case = made_case(size=6)
    rng = np.random.default_rng(5)
    members = rng.uniform(0, 255, (5, 3, 6, 6)).astype(np.float32)
    found = scored(Observations(seed=0), PlaceForecast(members=members), case)
    pairs = np.abs(members[:, None] - members[None]).sum(axis=(0, 1)) / (2 * 5 * 4)
    brute = (np.abs(members - case.truth).mean(axis=0) - pairs).mean()
    assert found["crps"] == pytest.approx(brute / 255, rel=1e-5)
    dressed = dressed_crps(case.truth - case.present)
    assert found["crps_skill"] == pytest.approx(1 - brute / dressed, rel=1e-5)
    single = scored(Observations(seed=0), PlaceForecast(members=members[:1]), case)
    assert single["crps"] == pytest.approx(np.abs(members[0] - case.truth).mean() / 255)
    assert np.isnan(single["spread_skill"])
    assert np.isnan(single["rank_deviation"])


def test_dressed_persistence_is_the_best_laplace_noise() -> None:
    rng = np.random.default_rng(6)
    difference = rng.laplace(0, 7.0, 4000)

    def crps(x: float, b: float) -> float:
        def below(t: float) -> float:
            return 0.5 * np.exp(t / b) if t < 0 else 1 - 0.5 * np.exp(-t / b)

        left = quad(lambda t: below(t) ** 2, -60 * b, x, limit=200, points=[0])[0]
        return left + quad(lambda t: (1 - below(t)) ** 2, x, 60 * b, limit=200, points=[0])[0]

    some = difference[:20]
    closed = 7.0 * (np.abs(some) / 7 + np.exp(-np.abs(some) / 7) - 0.75)
    assert closed == pytest.approx([crps(x, 7.0) for x in some], rel=1e-4)
    scales = np.geomspace(0.3, 60, 60)
    z = np.abs(difference) / scales[:, None]
    brute = (scales * (z + np.exp(-z) - 0.75).mean(axis=1)).min()
    assert dressed_crps(difference) == pytest.approx(brute, rel=1e-5)
    assert dressed_crps(np.zeros(50)) < 0.1


@pytest.mark.parametrize("m", [2, 5, 9])
def test_exchangeable_members_are_calibrated(m: int) -> None:
    rng = np.random.default_rng(7)
    drawn = rng.normal(0, 12, (m + 1, 3, 60, 60)) + 120
    case = made_case(size=60, truth=drawn[0].astype(np.float32))
    forecast = PlaceForecast(members=drawn[1:].astype(np.float32))
    found = scored(Observations(seed=0), forecast, case)
    # 10 800 values: a class's share has a standard error of 0.003, the sum of ten errors 0.02.
    assert found["rank_deviation"] < 0.05
    assert found["spread_skill"] == pytest.approx(1, abs=0.05)
    narrow = PlaceForecast(members=(120 + 0.2 * (drawn[1:] - 120)).astype(np.float32))
    assert scored(Observations(seed=0), narrow, case)["rank_deviation"] > 0.3


def test_observations_are_scored_where_a_forecast_tells_them_from_states() -> None:
    case = made_case()
    still = case.present[None]
    forecast = PlaceForecast(members=still, observations=case.truth[None].repeat(2, axis=0))
    assert scored(Observations(seed=0), forecast, case)["crps"] == 0
    assert scored(Harm(), forecast, case)["harm_mean"] == 1  # Harm is of the states.


def test_ranks_of_ties_are_shared_out() -> None:
    case = made_case(size=60)
    same = case.truth[None].repeat(4, axis=0).copy()
    same[0, :, 0] += 1  # Some spread, else there is nothing to rank.
    assert scored(Observations(seed=0), PlaceForecast(members=same), case)["rank_deviation"] < 0.06


# Pictures


def test_detail_is_the_contrast_within_cells() -> None:
    case = made_case()
    image = case.past.images[-1].astype(float)
    means = image.reshape(3, 24, 4, 24, 4).mean(axis=(2, 4)).repeat(4, 1).repeat(4, 2)
    for share in (1.0, 0.5, 0.0):
        states = np.round(means + share * (image - means))[None].astype(np.uint8)
        forecast = PlaceForecast.of_states(states, np.zeros((24, 24), np.float32))
        found = scored(Pictures(), forecast, case)
        # Rounding adds a twelfth of a level squared.
        assert found["detail"] == pytest.approx(share, abs=0.01)
    blurred = uniform_filter(image, (0, 4, 4))[None].astype(np.uint8)
    forecast = PlaceForecast.of_states(blurred, np.zeros((24, 24), np.float32))
    # Of white noise a mean of sixteen leaves a quarter of the amplitude, less within a cell.
    assert scored(Pictures(), forecast, case)["detail"] < 0.25
    assert np.isnan(scored(Pictures(), PlaceForecast(members=case.present[None]), case)["detail"])


def test_flicker_is_change_that_is_gone_the_next_year() -> None:
    case = made_case()
    before, now = case.present[None].copy(), case.present[None].copy()
    before[0, :, :8] += 40  # 8 of 24 rows change ...
    now[0, :, 2:8] += 40  # ... two of them are back, and others change later.
    now[0, :, 20:] += 40
    found = scored(Pictures(), PlaceForecast(members=now, year_before=before), case)
    assert found["flicker"] == pytest.approx(0.25)


def test_colours_that_the_region_has_not_by_brute_force() -> None:
    case = made_case(size=12)
    rng = np.random.default_rng(8)
    members = rng.uniform(0, 255, (3, 3, 12, 12)).astype(np.float32)
    found = scored(Pictures(), PlaceForecast(members=members), case)
    region = case.present.reshape(3, -1).T
    for name, fields in (("novel", members), ("novel_truth", case.truth[None])):
        colours = np.moveaxis(fields, 1, -1).reshape(-1, 3)
        assert found[name] == pytest.approx((cdist(colours, region).min(axis=1) > 10).mean())
    assert scored(Pictures(), PlaceForecast(members=case.present[None]), case)["novel"] == 0


# All together


@pytest.mark.parametrize(
    "statistics", [place_statistics(), pair_statistics()], ids=["place", "pair"]
)
def test_what_a_forecast_does_not_say_is_not_scored(statistics: list[Statistic]) -> None:
    case = made_case()
    nothing = scores_of(score_case(PlaceForecast(), case, statistics), statistics)
    assert all(np.isnan(value) for value in nothing.values())
    assert nothing.keys() <= SCORES.keys()
    blind = replace(case, seen=~case.seen, known=~case.known)
    forecast = PlaceForecast(case.present[None], np.zeros((24, 24), np.float32))
    found = scores_of(score_case(forecast, blind, statistics), statistics)
    assert all(np.isnan(value) for value in found.values())
