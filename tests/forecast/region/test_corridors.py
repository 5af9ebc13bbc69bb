"""Rivers and motorways are known by their shape, and are not cut in two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import label

from forecast.network.conditions import Tone
from forecast.region.change_allocation import allocated, event_levels, keep_corridors, parcels_of
from forecast.region.objects import corridors_of, region_objects
from preprocessing.running.disk_space import disk_zeros

_SHAPE = (150, 120)


def _river() -> NDArray[np.bool_]:
    """A meander of six cells across the region."""
    row, col = np.indices(_SHAPE)
    return np.asarray(np.abs(col - 60 - 25 * np.sin(row / 24)) <= 3)


@pytest.fixture
def objects() -> NDArray[np.int64]:
    """Segmented from a picture of a river between fields, with a lake and a forest."""
    row, col = np.indices(_SHAPE)
    shade = 0.4 + 0.3 * ((row // 20 + col // 24) % 2)
    shade[(row > 110) & (col > 75)] = 0.55
    shade[(row - 25) ** 2 + (col - 20) ** 2 < 80] = 0.1
    shade[_river()] = 0.1
    image = np.repeat(np.repeat(shade, 4, axis=0), 4, axis=1).astype(np.float32)
    picture = np.stack([image] * 3) + np.random.default_rng(0).normal(0, 0.01, (3, *image.shape))
    cells = picture.reshape(3, _SHAPE[0], 4, _SHAPE[1], 4).mean(axis=(2, 4))
    tone = Tone.of(torch.from_numpy(cells[None].astype(np.float32)))
    return region_objects(picture.astype(np.float32), tone, block=64)


def test_what_is_long_and_narrow_is_a_corridor(objects: NDArray[np.int64]) -> None:
    found, river = corridors_of(objects), _river()
    assert found[river].mean() > 0.9
    assert found[~river].mean() < 0.05
    assert not corridors_of(np.zeros(_SHAPE, np.int64)).any()


@pytest.mark.parametrize("strip", [130, 5000])
def test_corridors_are_the_same_in_strips_on_the_disk(
    objects: NDArray[np.int64], strip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = corridors_of(objects)
    monkeypatch.setattr("forecast.region.windows._STRIP", strip)
    np.testing.assert_array_equal(corridors_of(objects, zeros=disk_zeros(tmp_path)), whole)


def test_a_river_that_is_likely_to_change_is_not_cut(objects: NDArray[np.int64]) -> None:
    seen, corridors = np.ones(_SHAPE, bool), corridors_of(objects)
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
        assert changed.sum() == before.sum()
    assert cut  # It would have been.
