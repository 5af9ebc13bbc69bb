"""Rivers and motorways are known by their shape, and are not cut in two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label

from forecast.region.change_allocation import allocated, event_levels, keep_corridors, parcels_of
from forecast.region.corridors import corridors_of
from preprocessing.running.disk_space import disk_zeros

_SHAPE = (300, 120)
_FIELDS = np.array([[0.25, 0.35, 0.2], [0.55, 0.5, 0.35]])
"""Green ones and pale ones."""


def _river() -> NDArray[np.bool_]:
    """A meander of six cells across the region."""
    row, col = np.indices(_SHAPE)
    return np.asarray(np.abs(col - 60 - 25 * np.sin(row / 24)) <= 3)


def _cells(water: tuple[float, float, float]) -> NDArray[np.float32]:
    """A river between fields, with a lake and a forest."""
    row, col = np.indices(_SHAPE)
    colours = _FIELDS[(row // 20 + col // 24) % 2]
    colours[(row > 210) & (col > 85)] = (0.15, 0.25, 0.12)
    colours[(row - 25) ** 2 + (col - 20) ** 2 < 80] = water
    colours[_river()] = water
    noise = np.random.default_rng(0).normal(0, 0.004, colours.shape)
    return np.asarray(colours + noise, dtype=np.float32).transpose(2, 0, 1)


def _corridors(
    cells: NDArray[np.float32], seen: NDArray[np.bool_], **options: Any
) -> NDArray[np.bool_]:
    ridges_alone = np.zeros(seen.shape, np.int64)
    return corridors_of(ridges_alone, cells, seen, **options)


@pytest.fixture(params=[(0.05, 0.08, 0.1), (0.36, 0.42, 0.4)], ids=["dark", "as-bright-as-fields"])
def cells(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    return _cells(request.param)


def test_what_is_long_and_narrow_is_a_corridor(cells: NDArray[np.float32]) -> None:
    found, river = _corridors(cells, np.ones(_SHAPE, bool)), _river()
    assert found[river].mean() > 0.9
    assert found[~river].mean() < 0.06
    assert label(found & river, np.ones((3, 3)))[1] == 1


def test_what_is_not_is_none(cells: NDArray[np.float32]) -> None:
    seen = np.ones(_SHAPE, bool)
    assert not _corridors(np.zeros_like(cells), seen).any()
    assert not _corridors(cells, np.zeros_like(seen)).any()
    row, col = np.indices(_SHAPE)
    fields = _FIELDS[(row // 20 + col // 24) % 2].transpose(2, 0, 1).astype(np.float32)
    assert not _corridors(fields, seen).any()
    gaps = seen.copy()
    gaps[::9] = gaps[1::9] = False  # As of a sensor whose scan lines are lost.
    assert not _corridors(np.where(gaps, fields, 0), gaps).any()


def test_a_strip_between_ground_that_was_not_seen_is_none() -> None:
    seen = np.zeros(_SHAPE, bool)
    seen[:, 32:34] = seen[:, 80:] = True
    cells = np.where(np.arange(_SHAPE[1]) < 60, 0.1, 0.6).astype(np.float32)
    assert not _corridors(np.broadcast_to(cells, (3, *_SHAPE)), seen).any()


def test_a_ridge_of_mountains_is_none() -> None:
    """Long and bright, but snow and rock change along it."""
    cells, seen = _cells((0.8, 0.8, 0.85)), np.ones(_SHAPE, bool)
    river = _river()
    assert _corridors(cells, seen)[river].mean() > 0.8
    peaks = np.random.default_rng(1).choice([0.3, 1.3], _SHAPE[0] // 3)
    cells[:, river] = peaks.repeat(3)[np.nonzero(river)[0]]
    assert _corridors(cells, seen)[river].mean() < 0.2


def test_grey_and_false_colours_have_corridors_too() -> None:
    seen, river = np.ones(_SHAPE, bool), _river()
    cells = _cells((0.05, 0.08, 0.1))
    grey = np.repeat(cells.mean(axis=0, keepdims=True), 3, axis=0)
    for picture in (grey, cells[::-1], 1 - cells, 0.3 * cells):
        assert _corridors(picture, seen)[river].mean() > 0.8


def test_blocks_and_strips_on_the_disk_find_the_same(
    cells: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _corridors(cells, np.ones(_SHAPE, bool))
    monkeypatch.setattr("forecast.region.windows._STRIP", 5000)
    seen, zeros = np.ones(_SHAPE, bool), disk_zeros(tmp_path)
    parts = _corridors(cells, seen, block=64, threads=2, zeros=zeros)
    np.testing.assert_array_equal(parts, whole)


def test_long_objects_are_corridors_where_colours_show_no_ridge() -> None:
    """Sand on one side, forest on the other: brighter here, darker there."""
    seen, river = np.ones(_SHAPE, bool), _river()
    objects = np.where(river, 60, 0)
    cells = np.broadcast_to(np.linspace(0.1, 0.4, _SHAPE[1], dtype=np.float32), (3, *_SHAPE))
    found = corridors_of(objects, cells, seen)
    np.testing.assert_array_equal(found, river)


def test_a_river_that_is_likely_to_change_is_not_cut(cells: NDArray[np.float32]) -> None:
    seen = np.ones(_SHAPE, bool)
    row, col = np.indices(_SHAPE)
    objects = np.asarray(row // 20 * 20 * _SHAPE[1] + col // 24 * 24)
    corridors = _corridors(cells, seen)
    probability = np.where(corridors, 0.6, 0.05).astype(np.float32)
    parcels = parcels_of(objects, seen, 10.0)
    cut = 0
    for member in range(4):
        levels = event_levels(objects, seed=3, member=member)
        before = allocated(probability, levels, parcels, ~seen, seen)
        cut += label(corridors & ~before)[1] > label(corridors)[1]
        keep_corridors(levels, corridors)
        changed = allocated(probability, levels, parcels, ~seen, seen)
        assert not (changed & corridors).any()
        # Nothing changes in their place.
        assert changed.sum() == pytest.approx(probability[~corridors].sum(), abs=1)
    assert cut  # It would have been.
