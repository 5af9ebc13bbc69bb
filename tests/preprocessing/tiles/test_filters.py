from __future__ import annotations

import cv2
import kornia
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import made_world, view

from preprocessing.tiles.filters import (
    FilterConfig,
    Reason,
    changed_share,
    edge_density,
    judge,
    measure,
)
from preprocessing.tiles.filters import decide as decide_all

CONFIG = FilterConfig()


def scene(seed: int = 1) -> np.ndarray:
    return np.rint(view(made_world(seed), row_q=0, col_q=0).data * 255).astype(np.uint8)


def water() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(60 + rng.normal(0, 2, (3, 128, 128)), 0, 255).astype(np.uint8)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 128, 128)).astype(np.uint8)


def decide(past: np.ndarray, future: np.ndarray, valid: np.ndarray | None = None) -> Reason:
    seen = np.ones((128, 128), bool) if valid is None else valid
    return judge(past[None], future[None], seen[None], CONFIG)[0]


def test_each_reason() -> None:
    assert decide(scene(), scene()) is Reason.KEPT
    assert decide(water(), water()) is Reason.BLANK
    assert decide(scene(), noise()) is Reason.NOISY
    assert decide(noise(), scene()) is Reason.NOISY
    assert decide(scene(), 255 - np.clip(scene(), 0, 100)) is Reason.CHANGED
    few = np.ones((128, 128), bool)
    few[:, :14] = False
    assert decide(scene(), scene(), few) is Reason.INVALID


def test_ground_that_becomes_featureless_is_kept() -> None:
    past = np.clip(water().astype(int) + (scene() > 120) * 15, 0, 255).astype(np.uint8)
    assert changed_share(past[None], water()[None], np.ones((1, 128, 128), bool))[0] < 0.75
    drawn = past.copy()
    drawn[:, 20:100:12] = 220
    assert decide(drawn, water()) is Reason.KEPT
    assert decide(water(), drawn) is Reason.KEPT


def test_density_does_not_depend_on_the_size_of_the_tile() -> None:
    board = (np.indices((256, 256)) // 16).sum(axis=0) % 2 * 200
    large = np.repeat(board[None].astype(np.uint8), 3, axis=0)
    small = large[:, :128, :128]
    whole = edge_density(large[None], np.ones((1, 256, 256), bool))[0]
    part = edge_density(small[None], np.ones((1, 128, 128), bool))[0]
    # 15 lines in 256 px against 7 in 128.
    assert whole == pytest.approx(part * 15 / 14, rel=0.02)
    # Edges of one to two pixels along both axes, every 16 pixels.
    assert 0.08 < whole < 0.25


def test_density_is_ordered_by_detail() -> None:
    blurred = np.stack([cv2.GaussianBlur(band, (0, 0), 3) for band in scene()])
    tiles = np.stack([water(), blurred, scene(), noise()])
    density = edge_density(tiles, np.ones((4, 128, 128), bool))
    assert (np.diff(density) > 0).all()
    assert density[0] < CONFIG.edge_low < density[1]
    assert density[2] < CONFIG.edge_high < density[3]


def test_the_border_of_invalid_ground_is_no_edge() -> None:
    tile = np.full((3, 128, 128), 120, np.uint8)
    tile[:, 40:60, 40:60] = 0
    valid = tile[0] > 0
    assert edge_density(tile[None], valid[None])[0] == 0
    assert edge_density(tile[None], np.ones_like(valid)[None])[0] > 0


@pytest.mark.parametrize(("past", "future"), [(0, 255), (255, 0), (10, 250), (250, 10), (100, 121)])
def test_differences_are_signed(past: int, future: int) -> None:
    a, b = (np.full((1, 3, 8, 8), v, np.uint8) for v in (past, future))
    assert changed_share(a, b, np.ones((1, 8, 8), bool))[0] == 1


def test_share_counts_values_above_the_bound_on_valid_pixels_only() -> None:
    past = np.full((1, 3, 10, 10), 100, np.uint8)
    future = past.copy()
    future[0, 0, :5] += 21
    future[0, 1] += 20
    valid = np.ones((1, 10, 10), bool)
    assert changed_share(past, future, valid)[0] == pytest.approx(50 / 300)
    valid[0, 5:] = False
    assert changed_share(past, future, valid)[0] == pytest.approx(1 / 3)


def test_bound_of_change_is_exclusive() -> None:
    past = scene()
    future = past.astype(np.int16)
    future[:, :96] = np.where(past[:, :96] < 128, past[:, :96] + 30, past[:, :96] - 30)
    assert decide(past, future.astype(np.uint8)) is Reason.CHANGED
    future[:, 95] = past[:, 95]
    assert decide(past, future.astype(np.uint8)) is Reason.KEPT


def test_judging_is_measuring_then_deciding() -> None:
    past = np.stack([scene(), water(), noise(), scene()])
    future = np.stack([scene(2), water(), scene(), 255 - scene()])
    valid = np.ones((4, 128, 128), bool)
    valid[3, :40] = False
    measures = measure(past, future, valid)
    assert decide_all(measures, CONFIG) == judge(past, future, valid, CONFIG)
    assert len(measures) == 4
    for i in range(4):  # The batch a tile is in does not matter.
        one = measure(past[i : i + 1], future[i : i + 1], valid[i : i + 1])
        np.testing.assert_allclose(one.edges[0], measures.edges[i], atol=1e-7)
        assert one.changed[0] == measures.changed[i]


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5))
@settings(max_examples=15)
def test_edges_near_invalid_ground_do_not_count(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    tile = rng.integers(0, 256, (1, 3, 48, 40)).astype(np.uint8)
    valid = rng.random((1, 48, 40)) >= share / 20
    with torch.inference_mode():
        _, edges = kornia.filters.canny(torch.from_numpy(tile).float() / 255, hysteresis=False)
    counted = np.array(
        [
            [valid[0, max(r - 3, 0) : r + 4, max(c - 3, 0) : c + 4].all() for c in range(40)]
            for r in range(48)
        ]
    )
    expected = edges[0, 0].numpy()[counted].sum() / max(counted.sum(), 1)
    assert edge_density(tile, valid)[0] == pytest.approx(expected, rel=1e-5)


def test_no_tiles() -> None:
    none = np.zeros((0, 3, 128, 128), np.uint8)
    assert judge(none, none, np.zeros((0, 128, 128), bool), CONFIG) == []


@pytest.mark.parametrize(
    "bounds", [{"min_valid": 1.5}, {"max_changed": -0.1}, {"edge_low": 0.5, "edge_high": 0.1}]
)
def test_bounds_are_checked(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FilterConfig(**bounds)
