from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.exposure import match_histograms

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.histogram_matching import LevelCounts, histogram_gap, match_histogram


def image(seed: int, *, size: int = 96, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = rng.uniform(0.6, 4, (2, 3))
    bands = [rng.beta(a, b, (size, size)) for a, b in shape.T]
    return np.rint((low + (high - low) * np.stack(bands)) * 255).astype(np.uint8)


def unit(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.float32) / 255


@settings(max_examples=20)
@given(first=st.integers(0, 500), second=st.integers(501, 1000), low=st.floats(0, 0.5))
def test_equals_scikit_image_on_bytes(first: int, second: int, low: float) -> None:
    source, reference = image(first, low=low), image(second, high=0.8)
    ours = match_histogram(unit(source), unit(reference)) * 255
    theirs = match_histograms(source.astype(float), reference.astype(float), channel_axis=0)
    assert np.abs(ours - theirs).max() <= 1


@settings(max_examples=20)
@given(first=st.integers(0, 500), second=st.integers(501, 1000))
def test_order_of_values_is_kept(first: int, second: int) -> None:
    rng = np.random.default_rng(first)
    source = rng.uniform(-0.1, 1.1, (3, 64, 64)).astype(np.float32)
    matched = match_histogram(source, unit(image(second)))
    for before, after in zip(source, matched, strict=True):
        assert (np.diff(after.ravel()[np.argsort(before.ravel())]) >= 0).all()


def test_matching_an_image_to_itself_changes_nothing() -> None:
    source = unit(image(1))
    np.testing.assert_allclose(match_histogram(source, source), source, atol=1e-6)


def test_a_colour_cast_is_undone() -> None:
    reference = unit(image(2, high=0.7))
    cast = np.clip(reference**1.3 * np.array([0.8, 1.0, 1.3])[:, None, None] + 0.02, 0, 1)
    matched = match_histogram(cast.astype(np.float32), reference)
    assert np.abs(matched - reference).mean() < 0.01 < np.abs(cast - reference).mean()


def test_invalid_pixels_do_not_count() -> None:
    source, reference = unit(image(3)), unit(image(4))
    valid = np.zeros((96, 96), bool)
    valid[:, :60] = True
    masked = match_histogram(
        np.where(valid, source, 0).astype(np.float32),
        np.where(valid, reference, 1).astype(np.float32),
        source_valid=valid,
        reference_valid=valid,
    )
    alone = match_histogram(source[:, :, :60], reference[:, :, :60])
    np.testing.assert_array_equal(masked[:, :, :60], alone)


def histogram_distance(first: np.ndarray, second: np.ndarray) -> float:
    counts = LevelCounts(len(first))
    counts.add_source(first)
    counts.add_reference(second)
    return histogram_gap(counts.source, counts.reference)


def test_distance_of_shifted_levels_is_the_shift() -> None:
    first = np.full((3, 8, 8), 0.2, np.float32)
    assert histogram_distance(first, first + np.float32(0.4)) == pytest.approx(0.4, abs=1e-6)
    assert histogram_distance(first * 0, first * 0 + 1) == pytest.approx(1)
    assert histogram_distance(first, first) == 0


def test_matching_brings_histograms_together() -> None:
    source, reference = unit(image(5)), unit(image(6))
    after = histogram_distance(match_histogram(source, reference), reference)
    assert after < 0.1 * histogram_distance(source, reference)


def test_no_valid_pixels() -> None:
    source = unit(image(7))
    with pytest.raises(NoValidPixelsError):
        match_histogram(source, source, source_valid=np.zeros((96, 96), bool))
