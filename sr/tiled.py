"""Upscaling images of any size in padded tiles, with bounded memory."""

from __future__ import annotations

import torch
from torch import Tensor

from preprocessing.grid import Window
from preprocessing.tiling import plan_tiles
from sr.inference import upscale_batch
from sr.rrdb import RRDBNet

__all__ = ["upscale_tiled"]


def upscale_tiled(network: RRDBNet, image: Tensor, *, tile: int = 128, pad: int = 16) -> Tensor:
    """Upscale tile by tile; each tile sees `pad` pixels of its neighbours.

    Args:
        network: In evaluation mode.
        image: `(b, c, h, w)` float32, 0..1.
        tile: Side of a tile in low-resolution pixels, without padding.
        pad: Low-resolution pixels of context around a tile, cut off from its result. At the
            image's edge there is no context, exactly as if the image was upscaled whole.

    Returns:
        `(b, c, 4h, 4w)` float32, not clipped.

    Raises:
        ValueError: `tile` is smaller than 1 or `pad` negative.
    """
    if tile < 1 or pad < 0:
        raise ValueError(f"expected tile >= 1 and pad >= 0, got {tile} and {pad}")
    batch, channels, height, width = image.shape
    side = min(tile, height, width)
    scale = network.scale
    result = torch.empty(batch, channels, scale * height, scale * width)
    for window in plan_tiles(height, width, size=side, stride=side):
        outer = _padded(window, pad, height, width)
        upscaled = upscale_batch(network, image[:, :, *outer.slices])
        inner = _scaled(window, scale, row=outer.row, col=outer.col)
        result[:, :, *_scaled(window, scale).slices] = upscaled[:, :, *inner.slices]
    return result


def _padded(window: Window, pad: int, height: int, width: int) -> Window:
    """The window with `pad` pixels more on each side, as far as the image goes."""
    top, left = max(0, window.row - pad), max(0, window.col - pad)
    bottom = min(height, window.row + window.height + pad)
    right = min(width, window.col + window.width + pad)
    return Window(top, left, bottom - top, right - left)


def _scaled(window: Window, scale: int, *, row: int = 0, col: int = 0) -> Window:
    """The window on the high-resolution grid, relative to the low-resolution pixel (row, col)."""
    return Window(
        scale * (window.row - row),
        scale * (window.col - col),
        scale * window.height,
        scale * window.width,
    )
