"""Classical enhancement: types, oracles, and that nothing wraps around or loses bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import picture
from scipy.ndimage import median_filter

from preprocessing.errors import MissingFileError, RequestError
from sr.enhance import (
    Lut3D,
    LutFit,
    adjust_hsv,
    brightness_contrast,
    clahe,
    median,
    noise_sigma,
    non_local_means,
    read_cube,
    sharpen,
    write_cube,
)
from sr.enhance.clahe import equalised

METHODS = {
    "brightness": brightness_contrast,
    "hsv": adjust_hsv,
    "sharpen": sharpen,
    "median": median,
    "non-local means": non_local_means,
    "clahe": clahe,
    "lut": Lut3D(Lut3D.identity(5).table ** 2).apply,
}


def image(height: int = 40, width: int = 36, *, seed: int = 0) -> np.ndarray:
    """A noisy picture, `(h, w, 3)` uint8."""
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 3))
    smooth = picture(height, width, seed=seed).transpose(1, 2, 0)
    return (smooth + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", METHODS)
def test_types_stay_and_agree(name: str) -> None:
    method, eight = METHODS[name], image()
    sixteen, real = eight.astype(np.uint16) * 257, (eight / 255).astype(np.float32)
    results = [method(x) for x in (eight, sixteen, real)]
    for given_image, result in zip((eight, sixteen, real), results, strict=True):
        assert result.dtype == given_image.dtype
        assert result.shape == given_image.shape
    assert 0 <= results[2].min() <= results[2].max() <= 1
    assert not np.array_equal(results[0], eight)
    assert np.abs(results[1] / 65535 - results[2]).max() < 1e-4
    assert np.abs(results[0] / 255 - results[2]).max() < 0.51 / 255 + 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_sixteen_bits_are_not_cut_to_eight(name: str) -> None:
    ramp = np.linspace(20000, 22000, 48 * 48).astype(np.uint16).reshape(48, 48, 1)
    fine = np.random.default_rng(0).integers(-200, 200, (48, 48, 3))
    result = METHODS[name]((np.repeat(ramp, 3, axis=2) + fine).astype(np.uint16))
    levels = np.unique(result[..., 0] // 257)
    assert len(np.unique(result[..., 0])) > 8 * len(levels)


@pytest.mark.parametrize("name", METHODS)
def test_other_types_and_gaps_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="float64"):
        METHODS[name](np.zeros((16, 16, 3)))
    with pytest.raises(ValueError, match="shape"):
        METHODS[name](np.zeros((16, 16), np.uint8))
    with pytest.raises(ValueError, match="finite"):
        METHODS[name](np.full((16, 16, 3), np.nan, np.float32))


def test_brightness_and_hsv_saturate_where_bytes_would_wrap() -> None:
    bright = np.array([[[200, 100, 40]]], np.uint8)
    assert brightness_contrast(bright).tolist() == [[[255, 205, 85]]]
    # Saturation 204 of 255 times 1.5 wraps to 50 in bytes; full saturation leaves no blue here.
    rich = adjust_hsv(bright, hue=1, saturation=1.5, value=1)
    assert rich[0, 0, 2] == 0
    assert rich[0, 0, 0] == 200
    assert adjust_hsv(bright, hue=1, saturation=1, value=2)[0, 0, 0] == 255
    assert adjust_hsv(bright, hue=1, saturation=1, value=1).tolist() == bright.tolist()


def test_hue_is_an_angle() -> None:
    blue = np.array([[[0, 0, 1]]], np.float32)
    assert np.allclose(adjust_hsv(blue, hue=0.5, saturation=1, value=1), [[[0, 1, 0]]], atol=1e-6)
    assert np.allclose(adjust_hsv(blue, hue=3, saturation=1, value=1), [[[1, 0, 0]]], atol=1e-6)


def test_sharpening_is_the_usual_kernel() -> None:
    peak = np.full((5, 5, 3), 100, np.uint8)
    peak[2, 2] = 110
    result = sharpen(peak)[..., 0].astype(int)
    assert result[2, 2] == 150
    assert result[2, 1] == result[1, 2] == 90
    assert result[1, 1] == result[0, 0] == 100


@pytest.mark.parametrize("size", [3, 7])
def test_median_matches_scipy_in_all_types(size: int) -> None:
    eight = image()
    wanted = median_filter(eight, (size, size, 1), mode="nearest")
    assert np.array_equal(median(eight, size_px=size), wanted)
    assert np.array_equal(median(eight.astype(np.uint16), size_px=size), wanted)
    with pytest.raises(ValueError, match="odd"):
        median(eight, size_px=4)


def test_non_local_means_removes_noise_and_measures_it() -> None:
    generator = np.random.default_rng(0)
    clean = np.repeat(np.kron([[0.2, 0.7], [0.6, 0.3]], np.ones((32, 32)))[..., None], 3, axis=2)
    noisy = (clean + generator.normal(0, 0.05, clean.shape)).clip(0, 1).astype(np.float32)
    assert noise_sigma(noisy) == pytest.approx(0.05, rel=0.1)
    left = np.abs(non_local_means(noisy) - clean).mean()
    assert left < 0.4 * np.abs(noisy - clean).mean()
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert np.array_equal(non_local_means(flat), flat)


@pytest.mark.parametrize("clip", [2.0, 4.0])
def test_clahe_matches_opencv_but_for_its_steps(clip: float) -> None:
    plane = image(256, 256)[..., 0]
    wanted = cv2.createCLAHE(clip, (2, 2)).apply(plane) / 255
    # OpenCV counts a level itself as below it, we half of it: a level under the clip limit.
    found = equalised(((plane + 0.5) / 256).astype(np.float32), clip_limit=clip, tiles=2)
    assert np.abs(found - wanted).max() < (0.5 * clip + 2.5) / 255


def test_clahe_of_a_flat_plane_rises_no_more_than_the_limit() -> None:
    plane = np.full((64, 64), 0.5, np.float32)
    plane[:, 32:] += 0.01
    found = equalised(plane, clip_limit=3.0, tiles=1)
    assert 0.0 < found[0, 40] - found[0, 0] < 0.01 * 4.1


@settings(max_examples=25)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_the_identity_changes_nothing(size: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 65536, (5, 4, 3)).astype(np.uint16)
    result = Lut3D.identity(size).apply(pixels).astype(int)
    assert np.abs(result - pixels).max() <= 1


def test_a_table_is_interpolated_between_its_corners() -> None:
    table = np.zeros((2, 2, 2, 3), np.float32)
    table[1, 0, 0] = [0.1, 0.2, 0.3]
    table[1, 0, 1] = [0.5, 0.6, 0.7]
    red, half = [[[1.0, 0, 0]]], [[[0.5, 0, 0.5]]]
    apply = Lut3D(table).apply
    assert np.allclose(apply(np.array(red, np.float32)), [[[0.1, 0.2, 0.3]]])
    assert np.allclose(apply(np.array(half, np.float32)), [[[0.15, 0.2, 0.25]]])


def test_a_fit_finds_the_table_that_made_the_pair() -> None:
    generator = np.random.default_rng(0)
    truth = Lut3D((Lut3D.identity(4).table ** 1.5)[..., ::-1].copy())
    before = generator.random((60, 60, 3)).astype(np.float32)
    after = truth.apply(before)
    parts = [LutFit.of(before[rows], after[rows], size=4) for rows in (slice(0, 25), slice(25, 60))]
    found = (parts[0] + parts[1]).solve(smoothness=0, anchor=1e-9)
    assert np.abs(found.table - truth.table).max() < 1e-3
    back = (parts[0] + parts[1] - parts[1]).solve()
    assert np.allclose(back.table, parts[0].solve().table, atol=1e-6)


def test_a_fit_of_dark_pixels_leaves_the_rest_near_the_identity() -> None:
    dark = (0.2 * np.random.default_rng(0).random((30, 30, 3))).astype(np.float32)
    found = LutFit.of(dark, dark + np.float32(0.05), size=5).solve(smoothness=0, anchor=1e-4)
    assert np.allclose(found.apply(dark), dark + 0.05, atol=2e-3)
    assert np.allclose(found.table[3:], Lut3D.identity(5).table[3:], atol=1e-6)


def test_cube_files_come_back_and_count_red_fastest(tmp_path: Path) -> None:
    lut = Lut3D(np.random.default_rng(0).random((3, 3, 3, 3)).astype(np.float32))
    path = write_cube(lut, tmp_path / "a.cube")
    assert np.allclose(read_cube(path).table, lut.table, atol=1e-6)
    rows = [line for line in path.read_text().splitlines() if line[0].isdigit()]
    assert np.allclose([float(x) for x in rows[1].split()], lut.table[1, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "LUT_1D_SIZE 2\n0 0 0\n1 1 1\n",
        "LUT_3D_SIZE 2\n0 0 0\n",
        "LUT_3D_SIZE 2\nDOMAIN_MAX 2 2 2\n" + "0 0 0\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 0 nan\n" * 8,
        "LUT_3D_SIZE 2\n" + "0 x 0\n" * 8,
        "\x00\x01",
    ],
)
def test_bad_cube_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.cube"
    path.write_text(text)
    with pytest.raises(RequestError, match=r"bad\.cube"):
        read_cube(path)
    with pytest.raises(MissingFileError):
        read_cube(tmp_path / "none.cube")
