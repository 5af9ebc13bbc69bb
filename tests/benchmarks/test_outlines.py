"""Distance of outlines: closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.pictures.outlines import changed_pixels, outline_distance_px, outline_distances_px


def _square(top: int, size: int) -> np.ndarray:
    field = np.zeros((64, 64), bool)
    field[top : top + size, top : top + size] = True
    return field


def test_equal_outlines_have_no_distance() -> None:
    assert outline_distance_px(_square(20, 20), _square(20, 20)) == 0


def test_half_planes_lie_as_far_apart_as_they_are_moved() -> None:
    rows = np.arange(64)[:, None].repeat(64, 1)
    for moved in (1, 3, 7):
        assert outline_distance_px(rows < 30 + moved, rows < 30) == pytest.approx(moved)
    assert outline_distance_px(rows < 62, rows < 30) == 16  # at most


def test_no_outline_at_all() -> None:
    empty = np.zeros((64, 64), bool)
    assert math.isnan(outline_distance_px(_square(20, 20), empty))
    assert outline_distance_px(empty, _square(20, 20)) == 16
    assert math.isnan(outline_distance_px(empty, ~empty))  # the edge of the picture is none


def test_change_is_seen_where_it_is() -> None:
    observed = torch.full((2, 3, 64, 64), 0.4)
    image = observed.clone()
    image[1, :, 20:40, 20:40] += 0.3
    changed = changed_pixels(image, observed)
    assert not changed[0].any()
    assert changed[1, 20:40, 20:40].all()
    assert not changed[1, :19].any()
    found = outline_distances_px(image, image, observed)
    assert math.isnan(found[0])
    assert found[1] == 0
