from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_scenes import made_world, view
from skimage.exposure import match_histograms

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.histogram_matching import (
    HistogramMatch,
    LevelCounts,
    ToneCurves,
    histogram_gap,
    levels_for,
    match_histogram,
)
from preprocessing.radiometry.pixel_sample import PixelSample
from preprocessing.radiometry.pseudo_invariant import PseudoInvariant, orthogonal_line
from preprocessing.radiometry.tone_curves import quantised

GAIN, OFFSET = np.array([1.25, 1.1, 0.85]), np.array([-0.06, 0.02, 0.05])


def noise(seed: int, *, dtype: str = "uint8", size: int = 80) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = rng.uniform(0.6, 4, (3, 2))
    most = np.iinfo(dtype).max
    bands = [rng.beta(a, b, (size, size)) * rng.uniform(0.3, 1) for a, b in shape]
    return np.rint(np.stack(bands) * most).astype(dtype)


def scene(seed: int) -> np.ndarray:
    return view(made_world(seed), row_q=60, col_q=60).data


def bytes_of(unit: np.ndarray) -> np.ndarray:
    return (np.rint(np.clip(unit, 0, 1) * 255) / 255).astype(np.float32)


def seen_later(ground: np.ndarray, seed: int = 0) -> np.ndarray:
    """The ground through another sensor: `GAIN * it + OFFSET` is the ground again."""
    grain = np.random.default_rng(seed).normal(0, 0.01, ground.shape)
    return bytes_of((ground + grain - OFFSET[:, None, None]) / GAIN[:, None, None])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_image_block_by_block(dtype: str, seed: int) -> None:
    source, reference = noise(seed, dtype=dtype), noise(seed + 50, dtype=dtype)
    match = HistogramMatch(levels=levels_for(dtype))
    for rows in (slice(0, 31), slice(31, 80)):
        for cols in (slice(0, 50), slice(50, 80)):
            match.add(source[:, rows, cols], reference[:, rows, cols])
    theirs = match_histograms(source, reference, channel_axis=0)
    ours = match.curves().apply(source)
    assert ours.dtype == source.dtype
    assert np.abs(ours.astype(float) - theirs).max() <= 1
    assert np.abs(source.astype(float) - theirs).max() > 20


def test_sixteen_bits_keep_what_eight_would_lose() -> None:
    # Reflectance x 10000 fills a sixth of the 16-bit levels, of which 256 would keep 40.
    source = noise(1, dtype="uint16") // 6
    reference = noise(2, dtype="uint16") // 6
    unit = source.astype(np.float32) / 65535
    exact = match_histograms(source.astype(float), reference.astype(float), channel_axis=0) / 65535
    fine = match_histogram(unit, reference.astype(np.float32) / 65535, levels=65536)
    coarse = match_histogram(unit, reference.astype(np.float32) / 65535, levels=256)
    assert np.abs(fine - exact).max() < 2 / 65535
    assert np.abs(coarse - exact).max() > 50 / 65535


@pytest.mark.parametrize("method", [HistogramMatch, lambda: PseudoInvariant(size=500)])
@settings(max_examples=10)
@given(cuts=st.lists(st.integers(1, 127), max_size=5, unique=True), shuffle=st.randoms())
def test_tiling_and_order_do_not_matter(method, cuts, shuffle) -> None:
    ground = scene(3)
    later, valid = seen_later(ground), np.ones((128, 128), bool)
    valid[20:60, 90:] = False
    whole = method().add(later, ground, valid)
    edges = [0, *sorted(cuts), 128]
    tiles = [(slice(a, b), slice(c, d)) for a, b in pairs(edges) for c, d in pairs(edges)]
    shuffle.shuffle(tiles)
    total = method()
    for rows, cols in tiles:
        total.add(later[:, rows, cols], ground[:, rows, cols], valid[rows, cols])
    np.testing.assert_array_equal(total.curves().values, whole.curves().values)
    for name, shares in total.histograms().items():
        np.testing.assert_array_equal(shares, whole.histograms()[name])


def pairs(edges: list[int]) -> list[tuple[int, int]]:
    return list(itertools.pairwise(edges))


@settings(max_examples=15)
@given(first=st.integers(0, 500), second=st.integers(501, 1000))
def test_monotone_and_idempotent(first: int, second: int) -> None:
    source, reference = noise(first, size=48), noise(second, size=48)
    match = HistogramMatch().add(source, reference)
    assert (np.diff(match.curves().values, axis=1) >= 0).all()
    once = match.curves().apply(source)
    twice = HistogramMatch().add(once, reference).curves().apply(once)
    assert np.abs(once.astype(int) - twice).max() <= 1


def test_invalid_pixels_do_not_count() -> None:
    source, reference, valid = noise(3), noise(4), np.zeros((80, 80), bool)
    valid[:, :50] = True
    cut = HistogramMatch().add(source[:, :, :50], reference[:, :, :50])
    source[:, :, 50:], reference[:, :, 50:] = 0, 255
    masked = HistogramMatch().add(source, reference, valid)
    np.testing.assert_array_equal(masked.curves().values, cut.curves().values)
    with pytest.raises(NoValidPixelsError, match="got none"):
        HistogramMatch().add(source, reference, np.zeros_like(valid)).curves()


def test_histograms_are_those_of_the_images() -> None:
    source, reference = noise(5), noise(6)
    match = HistogramMatch().add(source, reference)
    shown = match.histograms()
    images = {"source": source, "reference": reference, "matched": match.curves().apply(source)}
    for name, image in images.items():
        counts = [np.bincount(band.ravel(), minlength=256) for band in image]
        np.testing.assert_allclose(shown[name], np.stack(counts) / 6400, atol=1e-12)
    after = histogram_gap(shown["matched"], shown["reference"])
    assert after < 0.1 * histogram_gap(shown["source"], shown["reference"])


def test_histograms_of_sixteen_bits_have_256_levels() -> None:
    source, reference = noise(7, dtype="uint16"), noise(8, dtype="uint16")
    shown = HistogramMatch(levels=65536).add(source, reference).histograms()
    levels = np.rint(source / 257).astype(int)
    counts = np.stack([np.bincount(band.ravel(), minlength=256) for band in levels])
    np.testing.assert_allclose(shown["source"], counts / 6400, atol=1e-12)
    assert shown["matched"].shape == (3, 256)


def test_more_pixels_than_float32_can_count() -> None:
    counts = LevelCounts(1)
    counts.add_source(np.full((1, 4097, 4097), 7, np.uint8))
    assert counts.source[0, 7] == 4097**2
    assert int(np.float32(4097**2)) != 4097**2


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_curves_agree_for_all_kinds_of_data(dtype: str) -> None:
    curves = HistogramMatch().add(noise(9), noise(10)).curves()
    stored, most = noise(11, dtype=dtype), np.iinfo(dtype).max
    unit = curves.apply((stored / most).astype(np.float32))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(curves.apply(stored) / most, unit, atol=0.51 / most)
    expected = np.interp(stored[1] / most, np.linspace(0, 1, 256), curves.values[1])
    np.testing.assert_allclose(unit[1], expected, atol=1e-6)


@pytest.mark.parametrize("levels", [256, 65536])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_whole_numbers_are_counted_at_the_nearest_level(dtype: str, levels: int) -> None:
    data = noise(13, dtype=dtype)
    counts = LevelCounts(levels=levels)
    counts.add_source(data)
    nearest = np.rint(data / np.iinfo(dtype).max * (levels - 1)).astype(int)
    expected = [np.bincount(plane.ravel(), minlength=levels) for plane in nearest]
    np.testing.assert_array_equal(counts.source, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_curves_return_the_wanted_kind_of_data(dtype: str) -> None:
    curves = HistogramMatch().add(noise(9), noise(10)).curves()
    data = noise(11, dtype="uint16").astype(np.float32) / 65535
    found = curves.apply(data, dtype=dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.rint(curves.apply(data) * np.iinfo(dtype).max))


def test_curves_clip_and_take_any_number() -> None:
    odd = np.array([-1, -1e-9, 0, 1, 1 + 1e-6, 2, 1e9, np.inf, -np.inf, np.nan], np.float32)
    out = ToneCurves.linear(np.array([0.5]), np.array([0.25])).apply(odd[None, None])
    expected = [0.25, 0.25, 0.25, 0.75, 0.75, 0.75, 0.75, 0.75, 0.25]
    np.testing.assert_allclose(out[0, 0, :-1], expected, atol=1e-6)
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(quantised(odd[None], 256)[0, :-1], [0] * 3 + [255] * 5 + [0])
    assert ToneCurves.identity().apply(np.zeros((3, 0, 5), np.float32)).shape == (3, 0, 5)


@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (1, 4), (1, 3), (3, 1), (2, 2)])
def test_the_smallest_blocks(shape: tuple[int, int]) -> None:
    data = np.linspace(0.1, 0.9, 3 * shape[0] * shape[1], dtype=np.float32).reshape(3, *shape)
    mask = np.ones(shape, bool)
    mask[0, 0] = False
    curves = HistogramMatch().add(data, 0.5 * data).curves()
    np.testing.assert_allclose(curves.apply(data), 0.5 * data, atol=0.5 / 255 + 1e-4)
    counted = HistogramMatch().add(data, data, mask).counts.source.sum(axis=1)
    assert counted.tolist() == [mask.sum()] * 3
    np.testing.assert_array_equal(quantised(data[0], 65536), np.rint(data[0] * 65535))


def test_curves_do_not_change_their_input() -> None:
    data = noise(12).astype(np.float32)[:, ::2, ::3] / 255
    before = data.copy()
    ToneCurves.linear(GAIN, OFFSET).apply(data)
    np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize(
    "values", [[[0.5, 0.2]], [[0.0, 1.2]], [[-0.1, 1.0]], [[0.5]], [0.0, 1.0], [[0.0, np.nan]]]
)
def test_curves_must_be_curves(values: list) -> None:
    with pytest.raises(ValueError, match="expected curves"):
        ToneCurves(np.array(values, np.float32))


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="expected data"):
        ToneCurves.identity(3).apply(np.zeros((4, 8, 8), np.float32))
    with pytest.raises(ValueError, match="expected data"):
        HistogramMatch(3).add(np.zeros((1, 8, 8)), np.zeros((1, 8, 8)))
    with pytest.raises(ValueError, match="expected valid"):
        HistogramMatch(3).add(np.zeros((3, 8, 8)), np.zeros((3, 8, 8)), np.ones((4, 4), bool))
    with pytest.raises(ValueError, match="levels"):
        HistogramMatch(3, levels=1000)


CHANGES = {
    "brighter": lambda ground: 0.5 * ground + 0.45,
    "darker": lambda ground: 0.4 * ground,
    "greener": lambda ground: 0.3 * ground + np.array([0.12, 0.3, 0.12])[:, None, None],
    "another place": lambda ground: scene(25)[:, :, : ground.shape[2]],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", [3, 9])
def test_real_change_does_not_pull_the_invariant_fit(change: str, seed: int) -> None:
    ground = scene(seed)
    columns = int(128 * 0.3)
    future = ground.copy()
    future[:, :, :columns] = CHANGES[change](ground[:, :, :columns])
    later, same = seen_later(future, seed), np.s_[:, :, columns:]
    method = PseudoInvariant().add(later, bytes_of(ground))
    fit = method.fit()
    # The grain of 0.01 in one image flattens the slope by its share of the variance, under 1 %.
    np.testing.assert_allclose(fit.gain, GAIN, atol=0.012)
    np.testing.assert_allclose(fit.offset, OFFSET, atol=0.006)
    assert 0.5 < fit.invariant < 0.75
    left = np.abs(method.curves().apply(later) - ground)[same].mean()
    pulled = np.abs(match_histogram(later, bytes_of(ground)) - ground)[same].mean()
    assert left < 0.01
    assert pulled > 1.8 * left


def test_invariant_fit_without_change_uses_nearly_all() -> None:
    fit = PseudoInvariant().add(seen_later(scene(5)), bytes_of(scene(5))).fit()
    np.testing.assert_allclose(fit.gain, GAIN, atol=0.012)
    # The probability of an unchanged pixel is uniform, and those above 0.1 are used.
    assert fit.invariant == pytest.approx(0.9, abs=0.05)
    assert (fit.correlation > 0.99).all()


def test_invariant_fit_of_equal_images_changes_nothing() -> None:
    image = bytes_of(scene(5))
    fit = PseudoInvariant().add(image, image).fit()
    np.testing.assert_allclose(fit.gain, 1, atol=1e-6)
    np.testing.assert_allclose(fit.offset, 0, atol=1e-6)


def test_clipped_values_do_not_bend_the_fit() -> None:
    ground = np.clip(scene(3) * 1.3, 0, 1)
    later = bytes_of(np.clip(ground * 1.6 - 0.25, 0, 1))
    assert (later == 1).mean() > 0.1
    fit = PseudoInvariant().add(later, bytes_of(ground)).fit()
    np.testing.assert_allclose(fit.gain, 1 / 1.6, atol=0.01)


def test_grey_and_constant_channels() -> None:
    grey = bytes_of(scene(3))[:1].repeat(3, axis=0)
    fit = PseudoInvariant().add(grey, bytes_of(0.5 * grey + 0.1)).fit()
    np.testing.assert_allclose(fit.gain, 0.5, atol=0.01)
    flat = bytes_of(scene(3))
    flat[1] = np.float32(100 / 255)
    fit = PseudoInvariant().add(flat, bytes_of(0.5 * flat + 0.2)).fit()
    np.testing.assert_allclose(fit.gain, [0.5, 1, 0.5], atol=0.01)
    assert fit.offset[1] == pytest.approx(0.2 - 50 / 255, abs=0.003)


def test_nothing_in_common_is_refused() -> None:
    rng = np.random.default_rng(0)
    black = np.zeros((3, 64, 64), np.float32)
    image = rng.uniform(0.2, 0.8, (3, 64, 64)).astype(np.float32)
    with pytest.raises(NoValidPixelsError, match="match histograms instead"):
        PseudoInvariant().add(black, image).fit()
    with pytest.raises(NoValidPixelsError, match=r"correlation of -?0\.\d+ in band"):
        PseudoInvariant().add(image, rng.permuted(image, axis=2)).fit()
    falling = image.copy()
    falling[2] = 1 - image[2]
    with pytest.raises(NoValidPixelsError, match="in band 3"):
        PseudoInvariant().add(image, falling).fit()
    with pytest.raises(NoValidPixelsError, match="got none"):
        PseudoInvariant().add(image, image, np.zeros((64, 64), bool)).fit()


def test_orthogonal_line_of_known_points() -> None:
    x = np.linspace(0, 1, 50)
    slope, intercept, correlation = orthogonal_line(x, 0.3 + 2 * x, np.ones(50))
    assert (slope, intercept, correlation) == pytest.approx((2, 0.3, 1))
    rng = np.random.default_rng(1)
    y = 0.2 + 0.7 * x + rng.normal(0, 0.1, 50)
    axis = np.linalg.eigh(np.cov(x, y))[1][:, 1]
    assert orthogonal_line(x, y, np.ones(50))[0] == pytest.approx(axis[1] / axis[0])
    mirrored = orthogonal_line(y, x, np.ones(50))[0]
    assert mirrored == pytest.approx(axis[0] / axis[1])


def test_sample_is_fair_and_bounded() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 65536, (6, 200_000)).astype(np.uint16)
    sample = PixelSample(6, size=4000)
    sample.add(pixels)
    kept = len(sample.counts)
    assert kept > 1800
    assert kept <= 4000
    # Binomial: each of 200,000 distinct pixels is held with a chance of 2 ** -depth.
    chance = 2.0**-sample.depth
    assert abs(kept - 200_000 * chance) < 5 * np.sqrt(200_000 * chance)
    means = sample.values.mean(axis=0)
    assert (np.abs(means - 32767.5) < 5 * 65536 / np.sqrt(12 * kept)).all()


def test_sample_of_few_colours_is_exact() -> None:
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 65536, (6, 30)).astype(np.uint16)
    drawn = rng.integers(0, 30, 5000)
    sample = PixelSample(6, size=64)
    for start in range(0, 5000, 1000):
        sample.add(colours[:, drawn[start : start + 1000]])
    assert sample.depth == 0
    found = {tuple(v): n for v, n in zip(sample.values, sample.counts, strict=True)}
    expected = {tuple(colours[:, i]): n for i, n in enumerate(np.bincount(drawn, minlength=30))}
    assert found == expected


def test_opencv_tables_of_words_are_read_right() -> None:
    """Older OpenCV refuses 16-bit lookup; a silent change of meaning would show here."""
    table = np.arange(65536, dtype=np.float32)[::-1].reshape(1, -1).copy()
    index = np.array([[0, 257, 65535]], np.uint16)
    np.testing.assert_array_equal(cv2.LUT(index, table), [[65535, 65278, 0]])
