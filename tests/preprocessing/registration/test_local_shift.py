from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from made_scenes import FINE, made_world, view

from preprocessing.rasters.grid import whole
from preprocessing.rasters.image_source import HeldImage
from preprocessing.rasters.raster import Raster
from preprocessing.rasters.window import Window
from preprocessing.registration.local_shift import _Measured, _without_outliers, refine_shifts
from preprocessing.registration.shift import Shift
from preprocessing.registration.shift_field import ShiftField
from preprocessing.registration.warped import WarpedImage

SIZE = 384
MARGIN = 8
WORLD = made_world(21, size_px=SIZE + 2 * MARGIN)
OTHER = made_world(22, size_px=SIZE + 2 * MARGIN)


def truth() -> tuple[np.ndarray, np.ndarray]:
    """The shift of each pixel: slow waves of up to 1.5 px."""
    rows, cols = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    dy = 1.5 * np.sin(2 * np.pi * cols / 700 + 0.4) * np.cos(2 * np.pi * rows / 900)
    dx = 1.2 * np.cos(2 * np.pi * rows / 800 - 0.3) - 0.4
    return dy, dx


def straight(world: np.ndarray = WORLD) -> Raster:
    return view(world, row_q=MARGIN * FINE, col_q=MARGIN * FINE, height=SIZE, width=SIZE)


def bent() -> Raster:
    """The world seen so that each pixel must move by `truth` to fit, sampled at full detail."""
    dy, dx = truth()
    fine = [
        cv2.resize(v, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_CUBIC) * FINE
        for v in (dy, dx)
    ]
    rows, cols = np.mgrid[: SIZE * FINE, : SIZE * FINE]
    # A pixel at p shows the ground at p + shift: moved by its shift it lies where it belongs.
    at = [
        (grid + MARGIN * FINE + shift).astype(np.float32)
        for grid, shift in zip((cols, rows), fine[::-1], strict=True)
    ]
    warped = cv2.remap(np.array(WORLD), *at, cv2.INTER_LINEAR)
    data = cv2.resize(warped, (SIZE, SIZE), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    return replace(straight(), data=np.ascontiguousarray(data))


def spoilt(raster: Raster, seed: int) -> Raster:
    """30 % of other ground, 20 % masked, other light."""
    rng = np.random.default_rng(seed)
    changed, hidden = (np.zeros(raster.valid.shape, bool) for _ in range(2))
    for mask, share in ((changed, 0.3), (hidden, 0.2)):
        while mask.mean() < share:
            row, col = rng.integers(0, SIZE - 40, 2)
            mask[row : row + 40, col : col + 40] = True
    data = np.where(changed, straight(OTHER).data, raster.data)
    data = 0.8 - 0.6 * data**1.3 + rng.normal(0, 0.01, data.shape)
    data[:, hidden] = 0
    return replace(raster, data=data.astype(np.float32), valid=~hidden)


def on_grid(raster: Raster) -> WarpedImage:
    return WarpedImage(HeldImage(raster), raster.grid)


def test_smooth_field_is_found_with_changed_and_masked_ground() -> None:
    later = spoilt(bent(), 5)
    found = refine_shifts(HeldImage(straight()), on_grid(later))
    assert found is not None
    assert found.field is not None
    dy, dx = found.field.at(Window(0, 0, SIZE, SIZE))
    true_y, true_x = truth()
    error = np.hypot(dy - true_y, dx - true_x)
    assert np.percentile(error, 95) < 0.3
    assert np.hypot(true_y, true_x).mean() > 0.9
    assert found.after_px < 0.3 * found.before_px


def test_applied_field_lays_the_images_over_each_other() -> None:
    dy, dx = truth()
    at = np.linspace(0, SIZE - 1, 24)
    index = np.rint(at).astype(int)
    field = ShiftField(
        index.astype(float), index.astype(float), *(v[np.ix_(index, index)] for v in (dy, dx))
    )
    moved = replace(on_grid(bent()), field=field).read(Window(0, 0, SIZE, SIZE))
    reference = straight()
    inner = moved.valid.copy()
    raw = np.abs(bent().data - reference.data)[:, inner].mean()
    left = np.abs(moved.data - reference.data)[:, inner].mean()
    assert left < 0.25 * raw
    assert inner.mean() > 0.9


def test_windows_of_a_field_join() -> None:
    rng = np.random.default_rng(0)
    at = np.linspace(0, SIZE - 1, 6)
    field = ShiftField(at, at, *(rng.uniform(-2, 2, (2, 6, 6))))
    image = replace(on_grid(straight()), field=field, shift=Shift(1.3, -0.7))
    full = image.read(whole(image.grid))
    part = image.read(Window(100, 37, 90, 111))
    cut = full.crop(Window(100, 37, 90, 111))
    np.testing.assert_array_equal(part.valid, cut.valid)
    np.testing.assert_allclose(part.data, cut.data, atol=1e-5)


def test_no_field_without_gain() -> None:
    found = refine_shifts(HeldImage(straight()), on_grid(spoilt(straight(), 2)))
    assert found is not None
    assert found.field is None
    assert found.before_px < 0.1


def test_nothing_to_see_gives_nothing() -> None:
    blank = replace(straight(), data=np.full((3, SIZE, SIZE), 0.4, np.float32))
    assert refine_shifts(HeldImage(blank), on_grid(blank)) is None


def test_shifts_of_changed_ground_are_dropped() -> None:
    rng = np.random.default_rng(4)
    points = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2) * 64
    shifts = np.stack([points[:, 0] / 400, -points[:, 1] / 500], axis=1)
    shifts += rng.normal(0, 0.03, shifts.shape)
    wrong = rng.choice(100, 12, replace=False)
    shifts[wrong] += rng.choice([-1, 1], (12, 2)) * rng.uniform(1.5, 4, (12, 2))
    kept = _without_outliers(_Measured(points, shifts, np.full(100, 9.0)))
    there = {tuple(point) for point in kept.points}
    assert not there & {tuple(points[i]) for i in wrong}
    assert len(kept) > 75


def test_field_needs_a_lattice() -> None:
    with pytest.raises(ValueError, match="at least 4 x 4"):
        ShiftField(np.arange(3.0), np.arange(4.0), np.zeros((3, 4)), np.zeros((3, 4)))
