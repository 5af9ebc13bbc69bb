from __future__ import annotations

import numpy as np
import pytest

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.colour_transform import ColourMap
from preprocessing.tiles.cells import cell_means, cells_valid


def _ground(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(20, 220, (3, 40, 40)).astype(np.float32)


def test_light_is_taken_out_and_change_is_left() -> None:
    rng = np.random.default_rng(1)
    before = _ground(rng)
    after = before.copy()
    after[:, :12] = 250 - after[:, :12]  # 30 % of the ground changes
    seen = 0.7 * after + np.array([20, 5, -3])[:, None, None] + 4e-4 * after**2
    found = ColourMap.fit(seen, before).apply(seen)
    # The light is within the family of maps but for a square root's curve: one grey level is left.
    assert np.abs(found[:, 12:] - before[:, 12:]).mean() < 1.0
    assert np.abs(found[:, :12] - after[:, :12]).mean() < 1.5


def test_too_few_cells_are_refused() -> None:
    ground = _ground(np.random.default_rng(2))
    with pytest.raises(NoValidPixelsError, match="30 cells"):
        ColourMap.fit(ground, ground, np.zeros((40, 40), bool))


def test_cells_by_brute_force() -> None:
    rng = np.random.default_rng(3)
    image, valid = rng.integers(0, 256, (3, 9, 14), dtype=np.uint8), rng.random((9, 14)) > 0.05
    means, whole = cell_means(image), cells_valid(valid)
    for row in range(2):
        for col in range(3):
            at = (slice(4 * row, 4 * row + 4), slice(4 * col, 4 * col + 4))
            assert np.allclose(means[:, row, col], image[(slice(None), *at)].mean(axis=(1, 2)))
            assert whole[row, col] == valid[at].all()
