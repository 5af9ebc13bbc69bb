"""How far the probabilities of a model count over a region, by how familiar its tiles look."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.network.patches import FACTOR, TILE_PX
from forecast.region.familiarity import Familiarity
from forecast.region.windows import in_pixels
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads
from preprocessing.tiles.blending import Blend, tile_weight
from preprocessing.tiles.tiling import plan_tiles

__all__ = ["region_trust"]

_AT_ONCE = 64


def region_trust(
    familiarity: Familiarity | None,
    image: NDArray[np.float32],
    gsd_m: float | None,
    *,
    threads: int = 1,
    zeros: Zeros = np.zeros,
) -> tuple[NDArray[np.float32], float | None]:
    """How far the probabilities of a model count over a region.

    Args:
        familiarity: Of the model.
        image: `(3, 4 * h, 4 * w)`, 0..1, padded; may be a memory map.
        gsd_m: Metres per pixel; None where not known.
        threads: Batches of tiles that are looked at side by side.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`: 1 where tiles are as in training, falling with the square of their distance
        where they are outside; and the share of tiles outside, None without `familiarity`.
    """
    height, width = image.shape[1] // FACTOR, image.shape[2] // FACTOR
    if familiarity is None:
        trust = zeros((height, width), np.float32)
        trust[...] = 1
        return trust, None
    side = TILE_PX // FACTOR
    blend = Blend(1, height, width, zeros=zeros)
    weight = tile_weight(side, side // 2)
    outside, tiles = 0, plan_tiles(height, width, size=side, stride=side // 2)
    batches = [tiles[first : first + _AT_ONCE] for first in range(0, len(tiles), _AT_ONCE)]

    def distances(some: list[Window]) -> NDArray[np.float64]:
        pixels = np.stack([image[(slice(None), *in_pixels(t).slices)] for t in some])
        return familiarity.score(torch.from_numpy(pixels), torch.full((len(some),), gsd_m or 0.0))

    for some, distance in zip(batches, in_threads(distances, batches, threads), strict=True):
        outside += int((distance > 1).sum())
        for tile, far in zip(some, distance, strict=True):
            counts = min(1.0, float(far) ** -2) if far > 0 else 1.0
            blend.add(tile, np.full((1, side, side), counts, np.float32), weight)
    return blend.image()[0], outside / len(tiles)
