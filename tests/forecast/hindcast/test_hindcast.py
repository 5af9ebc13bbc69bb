"""A place's own past: what it teaches, and that it knows nothing later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from forecast.evaluation.scores.roc import area_under_curve
from forecast.hindcast.occurrence import LocalOccurrence
from forecast.hindcast.past import Past
from forecast.hindcast.quantity import Quantity, with_mean
from forecast.hindcast.skill import combined_probability, held_out, hindcast
from preprocessing.rasters.window import Window

_SIDE, _DATES = 64, 9
_WHOLE = Window(0, 0, _SIDE, _SIDE)


def _growing(*, dates: int = _DATES, speed: float = 2.0, seed: int = 0) -> Past:
    """A dark town in a bright plain, whose rim moves by some cells a year."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:_SIDE, :_SIDE]
    angle = np.arctan2(rows - 32, cols - 32)
    distance = np.hypot(rows - 32, cols - 32) - 3 * np.sin(3 * angle)
    cells = np.stack([np.where(distance < 6 + speed * date, 0.3, 0.7) for date in range(dates)])[
        :, None
    ].repeat(3, axis=1)
    cells = cells + rng.normal(0, 0.01, cells.shape)
    known = np.ones((dates, _SIDE, _SIDE), bool)
    return Past(cells.astype(np.float32), known, 2000.0 + np.arange(dates))


def test_it_learns_that_the_rim_of_the_town_changes() -> None:
    future = _growing(dates=_DATES + 6)
    past = future.until(_DATES - 1)
    local = LocalOccurrence.fit(past)
    assert local is not None
    told = local.of_block(_WHOLE, [1.0, 3.0])
    changed, _ = future.changed(_DATES - 1, _DATES + 2)
    assert area_under_curve(changed, told[1]) > 0.85
    assert told[1].mean() == pytest.approx(changed.mean(), rel=0.6)
    assert (told[1] >= told[0]).all()


def test_trees_say_the_same_of_all_years_beyond_the_longest_interval() -> None:
    local = LocalOccurrence.fit(_growing())
    assert local is not None
    years = [1.0, local.longest, local.longest + 7]
    found = local.of_block(_WHOLE, years)
    np.testing.assert_array_equal(found, replace(local, longest=99.0).of_block(_WHOLE, years))
    assert (found[0] != found[1]).any()


def test_nothing_later_is_used() -> None:
    past = _growing()
    noise = np.random.default_rng(5).random(past.cells.shape).astype(np.float32)
    later = past.cells.copy()
    later[7:] = noise[7:]
    spoilt = replace(past, cells=later)
    first, second = LocalOccurrence.fit(past.until(6)), LocalOccurrence.fit(spoilt.until(6))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.of_block(_WHOLE, [3.0]), second.of_block(_WHOLE, [3.0]))


def test_the_held_out_hindcast_sees_no_date_after_its_start() -> None:
    past = _growing(dates=12)
    dates = held_out(past.years)
    assert dates is not None
    start, end = dates
    asked = []

    def general(date: int, years: float) -> np.ndarray:
        asked.append((date, years))
        return np.full(past.shape, 0.1, np.float32)

    skill = hindcast(past, general)
    assert skill is not None
    assert asked == [(start, 1.0), (start, end - start)]
    assert skill.years_ago == past.years[-1] - past.years[start]
    assert skill.weight > 0
    assert skill.auc is not None
    assert skill.auc > 0.85
    assert skill.auc_general == 0.5
    assert skill.log_loss < skill.log_loss_general


def test_a_model_that_knows_better_is_not_overruled() -> None:
    past = _growing()

    def knowing(date: int, years: float) -> np.ndarray:
        changed, _ = past.changed(date, date + round(years))
        return np.where(changed, 0.999, 0.001).astype(np.float32)

    skill = hindcast(past, knowing)
    assert skill is not None
    assert skill.weight == 0.0
    assert skill.log_loss == skill.log_loss_general


def test_few_dates_and_still_ground_teach_nothing() -> None:
    assert LocalOccurrence.fit(_growing(dates=3)) is None
    assert LocalOccurrence.fit(_growing(speed=0)) is None
    assert hindcast(_growing(dates=5), lambda *_: np.zeros((_SIDE, _SIDE), np.float32)) is None


def test_log_odds_are_mixed() -> None:
    taught, general = np.array([0.2, 0.5], np.float32), np.array([0.8, 0.1], np.float32)
    known = np.ones(2, bool)
    for weight, expected in ((1.0, taught), (0.0, general), (0.5, [0.5, 0.25])):
        found = combined_probability(general, taught, weight, None, 1.0, known)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_how_much_changes_is_a_mean_of_what_tells_it() -> None:
    # Four fifths of the rate so far have seven tenths of the logarithm and more, the larger it is.
    assert Quantity(((2.0, 0.0, 4.0),), 1.0).wanted(2.0, 0.01) == pytest.approx(
        0.01 / 100**0.7, rel=0.01
    )
    quantity = Quantity(((2.0, 0.0375, 4.0),), 1.0)
    assert quantity.wanted(2.0, 0.01) == pytest.approx(0.01 * 3**0.85)
    assert quantity.wanted(4.0, 0.01) > 1.3 * quantity.wanted(2.0, 0.01)


def test_what_is_expected_grows_with_the_years_whatever_single_intervals_tell() -> None:
    # More changed within one year than within two, as in Guadalest from six dates.
    quantity = Quantity(((2.0, -0.0025, 16.0), (3.0, 0.014, 16.0), (1.0, 0.0169, 16.0)), 1.0)
    shares = [quantity.wanted(float(years), 0.0056 * years) for years in range(1, 11)]
    assert all(later > 1.15 * sooner for sooner, later in pairwise(shares[:3]))
    assert all(later > sooner for sooner, later in pairwise(shares))
    assert shares[0] == pytest.approx(quantity.wanted(1.0, 0.0056))


def test_the_rate_counts_less_where_other_orders_tell_as_much() -> None:
    sure, unsure = (Quantity(((2.0, 0.05, 4.0),), lasting) for lasting in (1.0, 0.25))
    assert unsure.wanted(2.0, 0.01) < 0.8 * sure.wanted(2.0, 0.01)


def test_what_more_dates_tell_counts_more() -> None:
    # A spike in the last two dates passes for change until a third one tells that it went.
    rng = np.random.default_rng(2)
    cells = np.full((8, 3, _SIDE, _SIDE), 0.3, np.float32)
    cells[-2:, :, rng.random((_SIDE, _SIDE)) < 0.2] = 0.6
    known = np.ones((8, _SIDE, _SIDE), bool)
    past = Past(cells, known, 2000.0 + np.arange(8))
    quantity = Quantity.of(past)
    assert quantity is not None
    same = Quantity(tuple((years, share, 1.0) for years, share, _ in quantity.seen), 1.0)
    assert {weight for *_, weight in quantity.seen} >= {16.0, 15.0**2}
    assert quantity.wanted(1.0, 0.02) < 0.75 * same.wanted(1.0, 0.02)


def test_another_mean_keeps_the_ranking() -> None:
    chance = np.random.default_rng(0).random((20, 20)).astype(np.float32) / 10
    known = np.ones(chance.shape, bool)
    known[:, :5] = False
    found = with_mean(chance, 0.2, known)
    assert found[known].mean() == pytest.approx(0.2, abs=1e-4)
    np.testing.assert_array_equal(chance.ravel().argsort(), found.ravel().argsort())


def test_rate_of_past_change_tells_how_much_goes_on(tmp_path: Path) -> None:
    # Seven dates show intervals of up to four years, and the ground goes on as fast as it did.
    shares = []
    for speed in (1.0, 2.0):
        quantity = Quantity.of(_growing(dates=7, speed=speed))
        assert quantity is not None
        quantity.save(tmp_path)
        assert Quantity.load(tmp_path) == quantity
        shares.append([quantity.wanted(years, 0.02) for years in (1.0, 2.0, 6.0)])
        assert shares[-1][2] > 2 * shares[-1][0]
    assert shares[1][2] > 1.4 * shares[0][2]
    assert Quantity.of(_growing(dates=3)) is None


def test_what_comes_and_goes_is_no_change() -> None:
    # Fields bear another crop each year: with four dates a third of them look changed for good.
    rng = np.random.default_rng(1)
    crops = rng.choice([0.2, 0.5, 0.8], (4, _SIDE // 4, _SIDE // 4))
    fields = crops.repeat(4, axis=1).repeat(4, axis=2)[:, None].repeat(3, axis=1)
    known = np.ones((4, _SIDE, _SIDE), bool)
    rotating = Past(fields.astype(np.float32), known, 2000.0 + np.arange(4))
    changed, _ = rotating.changed(1, 2)
    assert changed.mean() > 0.1
    assert rotating.changed_by_chance(1, 2) == pytest.approx(changed.mean(), rel=0.2)
    quantity = Quantity.of(rotating)
    assert quantity is not None
    assert quantity.wanted(3.0, 0.02) < 0.01
    assert quantity.lasting < 0.3
    growing = _growing(dates=4)
    lasting, _ = growing.changed(1, 2)
    assert growing.changed_by_chance(1, 2) < 0.1 * lasting.mean()
    steady = Quantity.of(growing)
    assert steady is not None
    assert steady.lasting > 0.9
