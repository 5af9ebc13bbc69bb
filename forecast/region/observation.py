"""What a sensor would see of a state of the land: light, season and sensor laid over it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from forecast.network.patches import FACTOR, to_low
from forecast.region.windows import grown, in_pixels, within
from preprocessing.rasters.window import Window

__all__ = ["observed", "upsampled"]

_ITERATIONS = 4
_HALO = 8


def upsampled(cells: Tensor) -> Tensor:
    """Smooth upsampling whose means over cells come back to within about 1 %.

    Bicubic interpolation, repeated on what its means still miss (Irani and Peleg 1991).

    Args:
        cells: `(b, c, h, w)`.

    Returns:
        `(b, c, 4 * h, 4 * w)`.
    """

    def enlarged(x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=float(FACTOR), mode="bicubic", align_corners=False)

    target = cells
    for _ in range(_ITERATIONS):
        target = target + cells - to_low(enlarged(target))
    return enlarged(target)


def observed(
    state: NDArray[np.float32], seen: NDArray[np.float32], window: Window
) -> NDArray[np.float32]:
    """An observation of a block of a state.

    Args:
        state: `(3, height, width)` of the block, 0..1.
        seen: `(3, h, w)` difference on the grid of cells, of the whole region.
        window: The block, in cells; may reach beyond the state.

    Returns:
        Like `state`, within 0..1 where the state is.
    """
    around = grown(window, _HALO, *seen.shape[1:])
    part = torch.from_numpy(np.array(seen[(slice(None), *around.slices)]))[None]
    change = upsampled(part)[(0, slice(None), *in_pixels(within(window, around)).slices)].numpy()
    height, width = state.shape[1:]
    low, high = np.minimum(state, 0), np.maximum(state, 1)
    return np.asarray(np.clip(state + change[:, :height, :width], low, high), dtype=np.float32)
