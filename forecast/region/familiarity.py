"""Whether a model has seen the like of a region: distance of its tiles from those of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from forecast.network.patches import FACTOR, TILE_PX, to_low
from forecast.region.windows import in_pixels
from preprocessing.errors import ModelFolderError
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import Zeros
from preprocessing.running.executor import in_threads
from preprocessing.running.files import share_weights
from preprocessing.tiles.blending import Blend, tile_weight
from preprocessing.tiles.tiling import plan_tiles

__all__ = ["Familiarity", "region_familiarity", "tile_features"]

_FILE = "familiarity.safetensors"
_QUANTILE = 0.99
_LEAST = 1e-3
_SCALES = (1, 2, 4, 8)
_RIDGE = 1e-3
_AT_ONCE = 64


def tile_features(tiles: Tensor, gsd_m: Tensor) -> NDArray[np.float64]:
    """A dozen plain features of tiles; none depends on the order of the bands.

    Logarithms of contrast, of texture at four scales relative to it, and of metres per pixel; the
    brightness; correlations of bands, ascending; how unlike the means of the bands are; how far
    values lie at the ends of the range.

    Args:
        tiles: `(n, 3, h, w)`, 0..1; sides are multiples of 8.
        gsd_m: `(n,)`, 0 where not known.

    Returns:
        `(n, 12)`; NaN in the last place where the metres per pixel are not known.
    """
    flat = tiles.double().flatten(2)
    mean = flat.mean(dim=2)
    apart = flat - mean[..., None]
    variance = apart.square().mean(dim=2)
    contrast = variance.mean(dim=1).sqrt().clamp_min(_LEAST)
    spread = variance.sqrt().clamp_min(_LEAST)
    pairs = [
        (apart[:, a] * apart[:, b]).mean(dim=1) / (spread[:, a] * spread[:, b])
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    grey = tiles.double().mean(dim=1, keepdim=True)
    textures = []
    for scale in _SCALES:
        low = to_low(grey, scale)
        steps = low.diff(dim=2).square().mean(dim=(1, 2, 3)) + low.diff(dim=3).square().mean(
            dim=(1, 2, 3)
        )
        textures.append((steps.sqrt() / contrast).clamp_min(_LEAST).log())
    ends = ((flat < 0.02) | (flat > 0.98)).double().mean(dim=(1, 2))
    gsd = torch.where(gsd_m > 0, gsd_m.double(), torch.nan).log()
    features = [
        contrast.log(),
        *textures,
        mean.mean(dim=1),
        *torch.stack(pairs, dim=1).sort(dim=1).values.unbind(dim=1),
        mean.std(dim=1),
        ends,
        gsd,
    ]
    return np.asarray(torch.stack(features, dim=1).numpy(), dtype=np.float64)


@dataclass(frozen=True)
class Familiarity:
    """What the tiles of training were like.

    Attributes:
        mean: `(12,)` of their features.
        covariance: `(12, 12)`.
        far: Distance (Mahalanobis) beyond which one in a hundred of them lay.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    far: float

    @classmethod
    def fit(cls, tiles: Tensor, gsd_m: Tensor) -> Familiarity:
        """Of training tiles `(n, 3, h, w)`, 0..1 or uint8, and metres per pixel `(n,)`."""
        features = _features(tiles, gsd_m)
        known = np.isfinite(features)
        counts = known.sum(axis=0).clip(1)
        mean = np.where(known, features, 0).sum(axis=0) / counts
        filled = np.where(known, features, mean)
        covariance = np.cov(filled, rowvar=False) + _RIDGE * np.eye(len(mean))
        fitted = cls(mean, covariance, 1.0)
        distance = fitted.score(tiles, gsd_m)
        return cls(mean, covariance, float(np.quantile(distance, _QUANTILE)))

    def score(self, tiles: Tensor, gsd_m: Tensor) -> NDArray[np.float64]:
        """Distances `(n,)` of tiles, as `fit` takes them; above 1 is outside what was seen."""
        features = _features(tiles, gsd_m)
        apart = np.where(np.isfinite(features), features, self.mean) - self.mean
        squares = (apart * np.linalg.solve(self.covariance, apart.T).T).sum(axis=1)
        return np.asarray(np.sqrt(squares) / self.far)

    def save(self, folder: Path) -> None:
        """Write into a model folder."""
        values = {"mean": self.mean, "covariance": self.covariance, "far": np.array([self.far])}
        save_file(values, folder / _FILE)
        share_weights(folder)

    @classmethod
    def load(cls, folder: Path) -> Familiarity | None:
        """Read from a model folder; None where it has none.

        Raises:
            ModelFolderError: The file is damaged.
        """
        path = folder / _FILE
        if not path.is_file():
            return None
        try:
            stored = load_file(path)
            return cls(stored["mean"], stored["covariance"], float(stored["far"][0]))
        except (SafetensorError, KeyError, IndexError) as err:
            raise ModelFolderError(
                f"expected features of training tiles in {path}, it cannot be read ({err}); export "
                "the model again"
            ) from err


def region_familiarity(
    familiarity: Familiarity | None,
    image: Parts,
    gsd_m: float | None,
    *,
    threads: int = 1,
    zeros: Zeros = np.zeros,
) -> tuple[NDArray[np.float32], float | None]:
    """How far the probabilities of a model count over a region.

    Args:
        familiarity: Of the model.
        image: `(3, 4 * h, 4 * w)`, 0..1, padded.
        gsd_m: Metres per pixel; None where not known.
        threads: Batches of tiles that are looked at side by side.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(h, w)`: 1 where tiles are as in training, falling with the square of their distance
        where they are outside; and the share of tiles outside, None without `familiarity`.
    """
    height, width = image.shape[1] // FACTOR, image.shape[2] // FACTOR
    if familiarity is None:
        familiar = zeros((height, width), np.float32)
        familiar[...] = 1
        return familiar, None
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


def _features(tiles: Tensor, gsd_m: Tensor) -> NDArray[np.float64]:
    """`tile_features` of many tiles, some at a time."""
    scale = 255.0 if tiles.dtype == torch.uint8 else 1.0
    parts = (slice(start, start + _AT_ONCE) for start in range(0, len(tiles), _AT_ONCE))
    return np.concatenate([tile_features(tiles[at] / scale, gsd_m[at]) for at in parts])
