"""Noise of another day: objects and like colours differ alike, and nothing is grainy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from forecast.colour_noise import colour_noise

_SIDE, _CONTRAST = 96, 0.1


@pytest.fixture
def cells() -> NDArray[np.float32]:
    """Stripes of two colours, eight cells wide."""
    stripes = np.arange(_SIDE) // 8 % 2
    row = np.where(stripes, 0.3, 0.6) + np.zeros((3, _SIDE, 1))
    return row.astype(np.float32)


def _noise(cells: NDArray[np.float32], member: int = 0, year: int = 2020) -> NDArray[np.float32]:
    objects = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    objects = objects[::8, ::8].repeat(8, axis=0).repeat(8, axis=1)
    return colour_noise(cells, _CONTRAST, objects, seed=1, member=member, year=year, number=6)


def test_it_is_standard_and_opposite_in_pairs(cells: NDArray[np.float32]) -> None:
    first = _noise(cells)
    assert abs(first.mean()) < 1e-3
    assert first.std() == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(_noise(cells), first)
    np.testing.assert_allclose(_noise(cells, member=1), -first, atol=1e-4)
    assert abs(np.corrcoef(_noise(cells, year=2021).ravel(), first.ravel())[0, 1]) < 0.5


def test_objects_and_like_colours_differ_alike_without_grain(cells: NDArray[np.float32]) -> None:
    noise = np.stack([_noise(cells, member=2 * n) for n in range(30)])

    def alike(away: int) -> float:
        there = noise[..., 4 + away : _SIDE - 20 + away : 8]
        return float(np.corrcoef(noise[..., 4:-20:8].ravel(), there.ravel())[0, 1])

    assert alike(1) > 0.9
    assert alike(16) > alike(8) + 0.05  # The stripe beyond has the same colour.
    steps = np.diff(noise, axis=1)[:, 3::8]  # Within objects.
    assert steps.std() < 0.3
