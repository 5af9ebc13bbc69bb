from __future__ import annotations

from dataclasses import astuple, dataclass, field, replace
from functools import partial

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import made_world, view

from preprocessing.errors import GridMismatchError, RegistrationError
from preprocessing.rasters.image_source import HeldImage
from preprocessing.rasters.raster import Raster
from preprocessing.rasters.window import Window
from preprocessing.registration.coregister import (
    RELIABLE_SCORE,
    Shift,
    ShiftEstimator,
    apply_shift,
    estimate_shift,
)
from preprocessing.registration.edge_correlation import EdgeCorrelation, _taper

WORLD = made_world(1, size_px=310)
OTHER = made_world(2, size_px=310)
CENTRE_Q = 100
QUARTERS = st.integers(-48, 48)


def moving(dy_q: int, dx_q: int, world: np.ndarray = WORLD, size: int = 128) -> Raster:
    """An image that must go down `dy_q / 4` and right `dx_q / 4` pixels to fit."""
    return view(world, row_q=CENTRE_Q + dy_q, col_q=CENTRE_Q + dx_q, height=size, width=size)


def error_px(shift: Shift, dy_q: int, dx_q: int) -> float:
    return max(abs(shift.dy_px - dy_q / 4), abs(shift.dx_px - dx_q / 4))


@settings(max_examples=15)
@given(dy_q=QUARTERS, dx_q=QUARTERS)
def test_known_shift_is_found_within_a_tenth_of_a_pixel(dy_q: int, dx_q: int) -> None:
    shift = estimate_shift(moving(0, 0), moving(dy_q, dx_q))
    assert error_px(shift, dy_q, dx_q) < 0.1
    assert shift.reliable


@settings(max_examples=10)
@given(dy_q=QUARTERS, dx_q=QUARTERS, seed=st.integers(0, 1000))
def test_changed_and_masked_ground_and_other_light_do_no_harm(
    dy_q: int, dx_q: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image, other = moving(dy_q, dx_q, size=256), moving(0, 0, OTHER, size=256)
    changed = np.zeros(image.valid.shape, bool)
    while changed.mean() < 0.3:
        row, col = rng.integers(0, 216, 2)
        changed[row : row + 40, col : col + 40] = True
    valid = np.ones_like(changed)
    while valid.mean() > 0.8:
        row, col = rng.integers(0, 216, 2)
        valid[row : row + 40, col : col + 40] = False
    data = np.where(changed, other.data, image.data)
    data = 0.8 - 0.6 * data**1.3 + rng.normal(0, 0.01, data.shape)  # darker is brighter
    data[:, ~valid] = 0.0
    image = replace(image, data=data.astype(np.float32), valid=valid)
    assert error_px(estimate_shift(moving(0, 0, size=256), image), dy_q, dx_q) < 0.1


def test_invalid_stripes_that_stay_in_place_do_not_pin_the_shift() -> None:
    seen = np.ones((256, 256), bool)
    for start in range(0, 256, 32):
        seen[start : start + 8] = seen[:, start : start + 8] = False
    both = [
        replace(image, valid=seen, data=np.where(seen, image.data, 0))
        for image in (moving(0, 0, size=256), moving(14, -9, size=256))
    ]
    assert error_px(estimate_shift(*both), 14, -9) < 0.1


def test_region_of_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.registration.coregister._BLOCK_PX", 64)
    assert error_px(estimate_shift(moving(0, 0), moving(10, 7)), 10, 7) < 0.1


def test_blank_images_have_nothing_to_measure() -> None:
    blank = replace(moving(0, 0), data=np.full((3, 128, 128), 0.3, np.float32))
    assert estimate_shift(blank, blank) == Shift(0.0, 0.0, 0.0)
    assert not estimate_shift(blank, moving(4, 4)).reliable


def test_other_places_are_refused() -> None:
    with pytest.raises(RegistrationError, match="same ground"):
        estimate_shift(moving(0, 0), moving(0, 0, OTHER))


def test_other_sizes_are_refused() -> None:
    with pytest.raises(GridMismatchError, match="align"):
        estimate_shift(moving(0, 0), view(WORLD, row_q=0, col_q=0, height=100))


def test_a_match_scores_far_above_the_threshold() -> None:
    assert estimate_shift(moving(0, 0), moving(5, 5)).score > 2 * RELIABLE_SCORE


@settings(max_examples=20)
@given(dy=st.integers(-20, 20), dx=st.integers(-20, 20))
def test_whole_shift_moves_pixels_unchanged(dy: int, dx: int) -> None:
    image = moving(0, 0)
    moved = apply_shift(image, Shift(dy, dx))
    expected = np.roll(image.data, (dy, dx), axis=(1, 2))
    inside = np.roll(np.ones((128, 128), bool), (dy, dx), axis=(0, 1))
    rows, cols = np.mgrid[:128, :128]
    inside = (rows - dy >= 0) & (rows - dy < 128) & (cols - dx >= 0) & (cols - dx < 128)
    assert (moved.valid == inside).all()
    np.testing.assert_allclose(moved.data[:, inside], expected[:, inside], atol=1e-6)


@settings(max_examples=20)
@given(dy=st.floats(-12, 12), dx=st.floats(-12, 12))
def test_cubic_convolution_reproduces_a_plane(dy: float, dx: float) -> None:
    rows, cols = np.mgrid[:128, :128].astype(np.float32)
    plane = np.stack([rows, cols, rows + 2 * cols]) / 400
    moved = apply_shift(replace(moving(0, 0), data=plane), Shift(dy, dx))
    inner = moved.valid.copy()
    inner[:16] = inner[-16:] = inner[:, :16] = inner[:, -16:] = False
    expected = np.stack([rows - dy, cols - dx, rows - dy + 2 * (cols - dx)]) / 400
    # The plane holds up to 2 px from the ends, where the border is repeated.
    np.testing.assert_allclose(moved.data[:, inner], expected[:, inner], atol=1e-5)
    assert inner.any()


def test_invalid_pixels_do_not_leak_into_valid_ones() -> None:
    image = moving(0, 0)
    image.valid[60:64, 60:64] = False
    data = image.data.copy()
    data[:, 60:64, 60:64] = 1e6
    moved = apply_shift(replace(image, data=data), Shift(3.3, -2.6))
    assert moved.data[:, moved.valid].max() < 2
    assert not moved.valid[64, 58]
    assert moved.valid.mean() > 0.9


def test_applied_shift_is_gone() -> None:
    reference, image = moving(0, 0), moving(15, -22)
    rest = estimate_shift(reference, apply_shift(image, estimate_shift(reference, image)))
    assert rest.length_px < 0.05


@dataclass(frozen=True)
class _CountedImage(HeldImage):
    """Notes what is read of it."""

    windows: list[Window] = field(default_factory=list)

    def read(self, window: Window, /) -> Raster:
        self.windows.append(window)
        return super().read(window)


def test_reference_is_looked_at_once_for_several_images() -> None:
    reference = _CountedImage(moving(0, 0))
    estimator = ShiftEstimator(reference)
    for dy_q, dx_q in ((15, -22), (-9, 4)):
        again, alone = (
            astuple(find(moving(dy_q, dx_q)))
            for find in (estimator.estimate, partial(estimate_shift, moving(0, 0)))
        )
        # Sums in single precision depend on where the arrays lie in memory.
        assert again == pytest.approx(alone, rel=1e-4)
    assert reference.windows == [Window(0, 0, 128, 128)]


def test_spectrum_of_the_weights_is_that_of_their_product() -> None:
    found = EdgeCorrelation(128, 12).spectra(moving(0, 0))
    assert found is not None
    expected = scipy.fft.fft2(np.outer(_taper(128), _taper(128)), found.weights.shape)
    # Single precision: relative to the largest, which is the sum of the weights.
    np.testing.assert_allclose(found.weights, expected, atol=1e-5 * abs(expected).max())


@settings(max_examples=20)
@given(
    dy_q=st.integers(-20, 20),
    dx_q=st.integers(-20, 20),
    gaps=st.lists(st.tuples(st.integers(0, 31), st.integers(0, 31)), max_size=5),
)
def test_valid_pixels_are_made_of_valid_pixels(
    dy_q: int, dx_q: int, gaps: list[tuple[int, int]]
) -> None:
    image = moving(0, 0, size=32)
    for gap in gaps:
        image.valid[gap] = False
    moved = apply_shift(image, Shift(dy_q / 4, dx_q / 4))
    axes = []
    for quarters in (dy_q, dx_q):
        # Keys' kernel reaches less than 2 px; at whole pixels it is 0 but for the centre.
        place = np.arange(32) - quarters / 4
        reach = 2 if quarters % 4 else 1
        near = np.abs(np.arange(-2, 34) - place[:, None]) < reach
        axes.append((near, (place >= 0) & (place <= 31)))
    (near_y, inside_y), (near_x, inside_x) = axes
    missing = near_y.astype(int) @ ~np.pad(image.valid, 2, mode="edge") @ near_x.T.astype(int)
    expected = (missing == 0) & np.outer(inside_y, inside_x)
    np.testing.assert_array_equal(moved.valid, expected)
