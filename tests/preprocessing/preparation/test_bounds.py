from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from preprocessing.errors import NoValidPixelsError
from preprocessing.preparation.bounds import BoundsFit
from preprocessing.tiles.filters import FilterConfig, Reason, TileMeasures, decide

SHARES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))


@given(SHARES, st.floats(0, 0.49), st.floats(0.5, 1))
def test_no_more_than_the_share_asked_for_is_dropped(
    edges: np.ndarray, low: float, high: float
) -> None:
    changed = edges[::-1]
    found = BoundsFit().add(edges, changed).bounds(low, high)
    n = len(edges)
    assert (edges < found.edge_low).sum() <= low * n + 1e-6
    assert (edges > found.edge_high).sum() <= (1 - high) * n + 1e-6
    assert ((changed >= found.max_changed) & (changed < 0.9999)).sum() <= (1 - high) * n + 1e-6


@given(SHARES, SHARES)
def test_parts_add_up_in_any_order(first: np.ndarray, second: np.ndarray) -> None:
    both = np.concatenate([second, first])
    whole = BoundsFit().add(both, both)
    total = BoundsFit().add(first, first).add(second, second)
    np.testing.assert_array_equal(total.edge_counts, whole.edge_counts)
    np.testing.assert_array_equal(total.change_counts, whole.change_counts)
    assert len(whole) == len(first) + len(second)


def test_bounds_are_the_quantiles_to_a_bin() -> None:
    rng = np.random.default_rng(0)
    edges, changed = rng.beta(2, 20, 5000), rng.beta(2, 3, 5000)
    found = BoundsFit().add(edges, changed).bounds(0.02, 0.9)
    assert found.edge_low == pytest.approx(np.quantile(edges, 0.02), abs=3e-4)
    assert found.edge_high == pytest.approx(np.quantile(edges, 0.9), abs=3e-4)
    assert found.max_changed == pytest.approx(np.quantile(changed, 0.9), abs=3e-4)


def test_the_larger_density_of_both_dates_counts() -> None:
    both = np.array([[0.1, 0.3], [0.2, 0.0]])
    np.testing.assert_array_equal(
        BoundsFit().add(both, [0, 0]).edge_counts, BoundsFit().add([0.3, 0.2], [0, 0]).edge_counts
    )


def test_data_without_any_change_are_kept() -> None:
    found = BoundsFit().add(np.full(30, 0.1), np.zeros(30)).bounds()
    measures = TileMeasures(
        np.ones(30), np.full((30, 2), 0.1, np.float32), np.zeros(30, np.float32)
    )
    assert decide(measures, found) == [Reason.KEPT] * 30


def test_other_settings_are_taken_over() -> None:
    base = FilterConfig(min_valid=0.5, difference=0.2)
    found = BoundsFit().add([0.1], [0.1]).bounds(base=base)
    assert (found.min_valid, found.difference) == (0.5, 0.2)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(NoValidPixelsError, match="bounds"):
        BoundsFit().bounds()
    with pytest.raises(ValueError, match="low"):
        BoundsFit().add([0.1], [0.1]).bounds(0.9, 0.1)
    with pytest.raises(ValueError, match="0 to 1"):
        BoundsFit().add([np.nan], [0.1])
    with pytest.raises(ValueError, match="shape"):
        BoundsFit().add([0.1, 0.2], [0.1])
