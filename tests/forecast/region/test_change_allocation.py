"""Where change happens: noise that objects share, and parcels that change as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import kstest

from forecast.network.conditions import CONDITIONS, PAST_CHANNELS, RULES
from forecast.region.change_allocation import allocated, event_levels, parcels_of, reallocated
from forecast.region.objects import calm_inside
from forecast.region.region_conditions import PastChange


def test_levels_of_events_are_uniform_at_each_cell() -> None:
    objects = np.arange(48 * 48).reshape(48, 48) // 5 * 5
    drawn = np.stack([event_levels(objects, seed=1, member=m) for m in range(300)])
    # Cells far apart, over members: independent draws.
    assert kstest(drawn[:, ::24, ::24].ravel(), "uniform").pvalue > 0.01
    np.testing.assert_array_equal(drawn[7], event_levels(objects, seed=1, member=7))
    assert not np.array_equal(drawn[7], event_levels(objects, seed=2, member=7))
    # The members of a pair change in turn.
    np.testing.assert_allclose(drawn[0::2] + drawn[1::2], 1, atol=1e-5)
    assert np.abs(np.corrcoef(drawn[0].ravel(), drawn[2].ravel())[0, 1]) < 0.5


def test_levels_are_shared_within_objects_and_near_by() -> None:
    objects = np.zeros((40, 40), np.int64)
    objects[:, 20:] = 20
    drawn = np.stack([event_levels(objects, seed=5, member=m) for m in range(250)])

    def alike(a: tuple[int, int], b: tuple[int, int]) -> float:
        return float(np.corrcoef(drawn[:, a[0], a[1]], drawn[:, b[0], b[1]])[0, 1])

    assert alike((5, 5), (5, 6)) > 0.9
    assert 0.3 < alike((2, 2), (37, 2)) < 0.7
    assert abs(alike((2, 2), (37, 37))) < 0.15


def test_parcels_change_as_a_whole() -> None:
    seen = np.ones((120, 120), bool)
    rows, cols = np.indices(seen.shape) // 10 * 10
    objects = rows * 120 + cols  # Fields of 100 cells, and a forest.
    objects[:, 60:] = 60
    parcels = parcels_of(objects, seen, gsd_m=10.0)
    assert (parcels[:, :60] == objects[:, :60]).all()
    assert (parcels[:, 60:] == -1).all()
    assert (parcels_of(objects, seen, gsd_m=None) == -1).all()
    # A cell of 240 m pixels holds 92 ha.
    assert (parcels_of(objects, seen, gsd_m=240.0) == -1).all()
    before = np.zeros_like(seen)
    for share in (0.05, 0.1, 0.2):
        probability = np.full(seen.shape, share, np.float32)
        levels = event_levels(objects, seed=1, member=0)
        changed = allocated(probability, levels, parcels, before, seen)
        fields = np.bincount(objects[:, :60][changed[:, :60]], minlength=120 * 120)
        assert np.count_nonzero(fields == 100) > 0
        assert np.count_nonzero((fields > 0) & (fields < 100)) <= 1
        assert changed[before].all()
        assert changed.sum() == round(share * seen.sum())
        before = changed


def test_calm_ground_far_inside_objects_changes_less() -> None:
    objects = np.zeros((30, 40), np.int64)
    objects[:, 20:] = 20
    texture = np.full(objects.shape, 0.1, np.float32)
    texture[20:] = 0.5
    inside = calm_inside(objects, texture, slice(0, 30))
    np.testing.assert_array_equal(calm_inside(objects, texture, slice(7, 22)), inside[7:22])
    assert (inside[:, 17:23] == 0).all()
    assert (inside[:20, :16] == 1).all()
    assert (inside[:20, 16] == 0.5).all()
    assert not inside[20:].any()  # Rough ground.


def test_as_much_changes_where_log_odds_gain() -> None:
    known = np.ones((30, 40), bool)
    known[:10] = False
    gain = np.zeros(known.shape, np.float32)
    gain[:, :20] = np.log(3)
    never = PastChange(np.zeros((CONDITIONS, 30, 40), np.float16), known)
    found = reallocated(np.full(known.shape, 0.1, np.float32), never, gain.__getitem__, known)
    assert found[known].mean() == pytest.approx(0.1, abs=1e-5)
    assert logit(found[0, 0]) - logit(found[0, 20]) == pytest.approx(np.log(3), abs=1e-5)
    nowhere = reallocated(found, never, gain.__getitem__, np.zeros_like(known))
    np.testing.assert_array_equal(nowhere, found)


def test_past_change_tells_where_ground_changes_and_not_how_much() -> None:
    """A region that differed everywhere the year before, as farmland does, is no other region."""
    known, gain = np.ones((30, 40), bool), np.zeros((30, 40), np.float32)
    channels = np.zeros((CONDITIONS, 30, 40), np.float16)
    channels[PAST_CHANNELS[-1]] = 0.3
    channels[PAST_CHANNELS[0], :, :20] = channels[PAST_CHANNELS[1], :, :20] = 2
    past = PastChange(channels, known)
    odds = past.odds(slice(0, 30))
    found = reallocated(expit(logit(0.05) + odds), past, gain.__getitem__, known)
    assert found.mean() == pytest.approx(0.05, abs=1e-5)
    more = RULES[0][1] * 2 * np.log1p(2 / 0.05)
    assert logit(found[0, 0]) - logit(found[0, 20]) == pytest.approx(more, rel=1e-3)
