"""Cells of 4 x 4 pixels: the grid on which change is forecast, labelled and scored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CELL", "cell_means", "cells_valid"]

CELL = 4
"""Pixels along one cell."""


def cell_means(image: NDArray[Any]) -> NDArray[np.float32]:
    """Means over cells: `(..., h, w)` to `(..., h // 4, w // 4)`, rests left out."""
    means: NDArray[np.float32] = _blocks(image).mean(axis=(-3, -1), dtype=np.float32)
    return means


def cells_valid(valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells all of whose pixels are valid: `(..., h, w)` to `(..., h // 4, w // 4)`."""
    return np.asarray(_blocks(valid).all(axis=(-3, -1)))


def _blocks(image: NDArray[Any]) -> NDArray[Any]:
    h, w = (size // CELL for size in image.shape[-2:])
    cut = image[..., : h * CELL, : w * CELL]
    return cut.reshape(*image.shape[:-2], h, CELL, w, CELL)
