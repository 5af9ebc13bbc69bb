"""How much ground is expected to have changed: of a region and of zones."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.region.area import (
    Zone,
    cell_weights,
    changed_areas,
    log_odds_spread,
    zone_areas,
)
from preprocessing.rasters.window import Window


def test_changed_area_counts_valid_ground_in_hectares() -> None:
    valid = np.ones((9, 8), bool)
    valid[0, :4] = False
    weights = cell_weights(valid, np.full(9, 10.0))
    np.testing.assert_allclose(weights, [[0.12, 0.16], [0.16, 0.16], [0.04, 0.04]])
    np.testing.assert_allclose(cell_weights(valid, None), 100 * weights)
    taller = cell_weights(valid, np.array([10.0] * 8 + [20.0]))
    np.testing.assert_allclose(taller, [[0.12, 0.16], [0.16, 0.16], [0.16, 0.16]])


def test_bounds_of_the_changed_area_are_as_wide_as_forecasts_were_off() -> None:
    weights = np.full((60, 60), 0.5)
    chances = [np.full((60, 60), p, np.float32) for p in (0.0, 0.1, 0.6, 1.0)]
    areas = changed_areas(chances, weights, log_odds_spread(taught=True))
    assert [area.expected for area in areas] == pytest.approx([0, 180, 1080, 1800])
    for area in areas[1:3]:
        assert area.low < area.middle < area.high
        assert area.middle == pytest.approx(area.expected)
    assert (areas[0].high, areas[3].low) == (0, 1800)
    # Odds of 1 to 9, times and by e to the 1.5 * 1.645.
    assert areas[1].high == pytest.approx(1800 / (1 + 9 / 11.791), rel=1e-3)
    assert areas[1].low == pytest.approx(1800 / (1 + 9 * 11.791), rel=1e-3)
    alone = changed_areas(chances, weights, log_odds_spread(taught=False))
    assert alone[1].high > areas[1].high
    assert alone[1].low < areas[1].low


def test_areas_of_zones_are_those_of_the_region_and_less_sure_where_they_are_small() -> None:
    shape = (60, 60)
    objects = np.arange(60 * 60).reshape(shape) // 4 * 4
    known = np.ones(shape, bool)
    weights = np.full(shape, 0.5)
    chances = [np.full(shape, p, np.float32) for p in (0.1, 0.2)]
    small = Window(10, 20, 4, 5)
    zones = [Zone(Window(0, 0, 60, 60), weights), Zone(small, weights[small.slices])]
    whole, part = zone_areas(chances, zones, objects, np.full(shape, -1), known, spread=0.9, seed=3)
    for found, year in zip(whole, changed_areas(chances, weights, 0.9), strict=True):
        assert found.expected == pytest.approx(year.expected)
        assert found.middle == pytest.approx(year.middle, rel=0.02)
        assert found.low == pytest.approx(year.low, rel=0.1)
        assert found.high == pytest.approx(year.high, rel=0.1)
    assert part[0].expected == pytest.approx(0.1 * 10)
    # Where 20 cells share their noise, all of it may change or nothing.
    assert part[1].low == 0
    assert part[1].high / 10 > 1.1 * whole[1].high / 1800
    assert part[0].high <= part[1].high <= 10
