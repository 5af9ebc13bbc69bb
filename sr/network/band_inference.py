"""Groups of bands through the network, one after the other, into a raw raster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.running.progress import Progress
from sr.upscale.bands import Method, Upscaler
from sr.upscale.raw_raster import RawRaster
from sr.upscale.tiled import Reader

__all__ = ["Layer", "upscale_layers"]


@dataclass(frozen=True)
class Layer:
    """Bands that go through the network together.

    Attributes:
        first: The first of them in the result, from 0.
        count: How many.
        read: Their values, nominally 0..1.
        store: From values to stored values.
        exact: Compute in float32.
        method: The network, or cubic interpolation.
        bounded: Keep results between the smallest and largest value of the pixels around, as alpha
            has to be: an echo beside its edges would show as a dark line.
    """

    first: int
    count: int
    read: Reader
    store: Callable[[NDArray[np.float32]], NDArray[Any]]
    exact: bool
    method: Method = "network"
    bounded: bool = False


def upscale_layers(
    layers: Sequence[Layer],
    upscaler: Upscaler,
    raw: RawRaster,
    *,
    shape: tuple[int, int],
    progress: Progress,
) -> None:
    """Upscale all layers of an image; rows of tiles that `raw` has are not done again.

    Args:
        layers: Groups of bands.
        upscaler: The network.
        raw: Where results go.
        shape: Rows and columns of the image.
        progress: Called with `("upscaling", tiles done, tiles in all)`.
    """
    rows, cols = upscaler.plan(*shape)
    each = len(rows) * len(cols)
    for index, layer in enumerate(layers):
        name = f"layer {index}"
        start = raw.done.get(name, 0)
        if start == len(rows):
            continue
        done = index * each + start * len(cols)
        blocks = upscaler.stream(
            layer.read,
            channels=layer.count,
            shape=shape,
            method=layer.method,
            exact=layer.exact,
            bounded=layer.bounded,
            start_row=start,
        )
        bands = slice(layer.first, layer.first + layer.count)
        for block in blocks:
            raw.write(bands, block.window, layer.store(block.pixels))
            if block.ends_row:
                raw.mark(name, block.row + 1)
            done += 1
            progress("upscaling", done, len(layers) * each)
