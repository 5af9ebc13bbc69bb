"""The network over a region: overlapping tiles, blended into planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.network.conditions import Tone
from forecast.network.noise_smoothing import HALO, shaped
from forecast.network.patches import FACTOR, TILE_PX, to_patches
from forecast.random_fields import ground_noise, regional_noise
from forecast.region.windows import cut, in_pixels, strips
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import Zeros
from preprocessing.running.precision import autocast
from preprocessing.tiles.blending import Blend, tile_weight
from preprocessing.tiles.tiling import plan_tiles

if TYPE_CHECKING:
    from forecast.network.unet import Answer, ChangeUNet

__all__ = ["Noise", "RegionNetwork", "View"]

_SIDE = TILE_PX // FACTOR
_STRIDE = _SIDE // 2
_BLOCK = 256
_AT_ONCE, _AT_ONCE_ON_GPU = 16, 256


@dataclass(frozen=True)
class View:
    """What the network sees of a region.

    Attributes:
        image: `(3, 4 * h, 4 * w)`, 0..1, padded.
        conditions: `(c, h, w)` from `region_conditions`; may be a memory map.
        tone: Of the region.
    """

    image: Parts
    conditions: NDArray[np.float16]
    tone: Tone


@dataclass(frozen=True)
class Noise:
    """What the noise of an answer depends on, beside the position on the ground.

    Attributes:
        seed: Of the run.
        member: Number of the member.
    """

    seed: int
    member: int


class RegionNetwork:
    """Answers of the network for a whole region.

    Each cell lies in four tiles of 32 x 32 cells that are half a tile apart; their answers are
    blended with raised-cosine weights. Noise belongs to the ground, so tiles share it.

    Args:
        model: In evaluation mode.
        height: Cells of the (padded) region, at least 32.
        width: Likewise.
        gsd_m: Metres per pixel; None where not known.
        batch_size: Tiles a pass; by default what suits the device of the model.
        zeros: Makes planes, on the disk where they are large.
    """

    def __init__(
        self,
        model: ChangeUNet,
        *,
        height: int,
        width: int,
        gsd_m: float | None = None,
        batch_size: int | None = None,
        zeros: Zeros = np.zeros,
    ) -> None:
        self._model = model
        self._height, self._width = height, width
        self.gsd_m = gsd_m
        self._tiles = plan_tiles(height, width, size=_SIDE, stride=_STRIDE)
        self._weight = tile_weight(_SIDE, _SIDE - _STRIDE)
        self._batch_size = batch_size or (
            _AT_ONCE_ON_GPU if model.device.type == "cuda" else _AT_ONCE
        )
        self._zeros = zeros

    @property
    def longest_years(self) -> int:
        """The longest horizon in whole years that the network was trained on, at least 1."""
        return max(1, int(self._model.config.horizon_years[1]))

    def probability(self, view: View, years: float, noise: Noise) -> NDArray[np.float32]:
        """Probability `(h, w)` of lasting change; no noise bears on it where rules tell it."""
        if not self._model.occurs_by_rules:
            found = self._blended(view, years, noise, lambda answer: answer.change.sigmoid(), 1)
            return np.asarray(found[0])
        found = self._zeros((self._height, self._width), np.float32)
        for window in cut(self._height, self._width, _BLOCK):
            found[window.slices] = self._by_rules(view, years, window)
        return found

    def look(
        self, view: View, years: float, noise: Noise, where: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """What changed ground looks like, as a difference `(3, h, w)` to the view.

        Args:
            view: Of the region.
            years: Horizon.
            noise: Of the member.
            where: `(h, w)` cells that are asked for; the others may be anything.
        """
        asked = [tile for tile in self._tiles if where[tile.slices].any()]
        return self._blended(view, years, noise, lambda answer: answer.look, 3, asked)

    @torch.inference_mode()
    def _by_rules(self, view: View, years: float, window: Window) -> NDArray[np.float32]:
        model = self._model
        condition = self._condition(view, [window]).to(model.device)
        horizon = torch.full((1,), float(years), device=model.device)
        tone = Tone(view.tone.mean.to(model.device), view.tone.contrast.to(model.device))
        odds = model.occurrence(model.by_rules(condition), condition, tone, horizon)
        return np.asarray(torch.sigmoid(odds)[0, 0].cpu().numpy())

    @torch.inference_mode()
    def _blended(
        self,
        view: View,
        years: float,
        noise: Noise,
        parts: Callable[[Answer], Tensor],
        channels: int,
        tiles: list[Window] | None = None,
    ) -> NDArray[np.float32]:
        every = self._tiles if tiles is None else tiles
        model, device = self._model, self._model.device
        whose = {"seed": noise.seed, "member": noise.member, "year": 0}
        field = self._field(noise)
        count = int(model.config.regional_noise)
        regional = torch.from_numpy(regional_noise(**whose, count=count)).to(device)
        blend = Blend(channels, self._height, self._width, zeros=self._zeros)
        for first in range(0, len(every), self._batch_size):
            batch = every[first : first + self._batch_size]
            size = len(batch)
            tone = Tone(
                view.tone.mean.expand(size, -1).to(device),
                view.tone.contrast.expand(size).to(device),
            )
            condition = torch.cat([self._patches(view, batch), self._condition(view, batch)], dim=1)
            with autocast(device):
                answer = model(
                    torch.from_numpy(np.stack([field[(slice(None), *t.slices)] for t in batch])).to(
                        device
                    ),
                    condition.to(device),
                    tone,
                    torch.full((size,), float(years), device=device),
                    torch.full((size,), self.gsd_m or 0.0, device=device),
                    regional.expand(size, -1),
                )
            for tile, values in zip(batch, parts(answer).float().cpu().numpy(), strict=True):
                blend.add(tile, values, self._weight)
        return blend.image(partly=tiles is not None)

    def _field(self, noise: Noise) -> NDArray[np.float32]:
        """The noise `(3, h, w)` that tiles are given."""
        field = self._zeros((3, self._height, self._width), np.float32)
        for rows in strips(field.shape[1:]):
            height = rows.stop - rows.start + 2 * HALO
            around = Window(rows.start - HALO, -HALO, height, self._width + 2 * HALO)
            white = ground_noise(around, seed=noise.seed, member=noise.member, year=0)
            field[:, rows] = shaped(torch.from_numpy(white)[None])[0].numpy()
        return field

    @staticmethod
    def _patches(view: View, tiles: list[Window]) -> Tensor:
        pixels = [view.image[(slice(None), *in_pixels(tile).slices)] for tile in tiles]
        past = torch.from_numpy(np.stack(pixels))
        tone = Tone(view.tone.mean.expand(len(tiles), -1), view.tone.contrast.expand(len(tiles)))
        return to_patches(tone.units(past) / 2)

    @staticmethod
    def _condition(view: View, tiles: list[Window]) -> Tensor:
        channels = [view.conditions[(slice(None), *tile.slices)] for tile in tiles]
        return torch.from_numpy(np.stack(channels).astype(np.float32))
