"""What stands out from a region: rare colours and bright ground."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.colours import WhitenedColours
from forecast.region import windows
from forecast.region.region_conditions import anomaly_odds, region_colours, region_tone


def country(bright: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Green land of two shades with a field of another hue, as bright as the land is."""
    noise = np.random.default_rng(0).normal(0, 0.01, (1, 64, 96)).astype(np.float32)
    cells = np.array([0.2, 0.4, 0.3], np.float32)[:, None, None] + noise
    cells[:, :, 48:] += 0.1
    cells[:, 20:30, 20:30] += np.array([0.1, -0.1, 0.0], np.float32)[:, None, None] + bright
    return cells, np.ones(cells.shape[1:], bool)


def test_rare_colours_stand_out_and_bright_ones_more() -> None:
    dull, bright = (anomaly_odds(*c, region_tone(*c)) for c in (country(), country(0.2)))
    field, land = (slice(23, 27), slice(23, 27)), (slice(40, 60), slice(10, 40))
    assert dull[field].min() > dull[land].max() + 0.5
    assert bright[field].mean() > dull[field].mean() + 0.1


def test_it_is_the_same_in_whatever_bands_it_is_seen() -> None:
    """Whitened colours do not depend on how strongly bands are stretched, nor on their order."""
    cells, seen = country()
    other = (cells * np.array([0.5, 1.0, 1.5], np.float32)[:, None, None])[::-1]
    for seen_as in (cells, other):
        white = region_colours(seen_as, seen).whitened(seen_as).reshape(-1, 3)
        assert np.linalg.eigvalsh(np.cov(white.T))[1:] == pytest.approx([1, 1], abs=0.01)
    one, two = (anomaly_odds(c, seen, region_tone(c, seen)) for c in (cells, other))
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.95


def test_what_was_not_seen_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, seen = country()
    expected = anomaly_odds(cells, seen, region_tone(cells, seen))
    seen[50:, :10] = False
    masked = cells.copy()
    masked[:, ~seen] = 0
    found = anomaly_odds(masked, seen, region_tone(masked, seen))
    np.testing.assert_allclose(found[:40], expected[:40], atol=0.03)
    assert found[seen].max() < expected.max() + 0.05  # No rim around the hole.
    monkeypatch.setattr(windows, "_STRIP", 7 * 96)
    np.testing.assert_array_equal(anomaly_odds(masked, seen, region_tone(masked, seen)), found)
    nothing = np.zeros_like(seen)
    assert np.isfinite(anomaly_odds(masked, nothing, region_tone(masked, nothing))).all()


def test_components_of_other_dates_point_the_same_way() -> None:
    cells, seen = country()
    last = region_colours(cells, seen)
    turned = WhitenedColours(last.mean, -last.matrix)
    parts = [cells.reshape(3, -1)]
    np.testing.assert_allclose(WhitenedColours.of(parts, like=last).matrix, last.matrix, rtol=1e-4)
    again = WhitenedColours.of(parts, like=turned)
    np.testing.assert_allclose(again.matrix, turned.matrix, rtol=1e-4)
