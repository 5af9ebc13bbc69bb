"""The network over a region: overlapping tiles, blended into planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.network.conditions import Tone
from forecast.network.correlated_noise import HALO, shaped
from forecast.network.patches import FACTOR, TILE_PX, to_patches
from forecast.network.unet import Answer, ChangeUNet
from forecast.noise import ground_noise, regional_noise
from forecast.states.windows import in_pixels
from preprocessing.rasters.window import Window
from preprocessing.running.precision import autocast
from preprocessing.tiles.blending import Blend, tile_weight
from preprocessing.tiles.tiling import plan_tiles

__all__ = ["Noise", "RegionNetwork", "View"]

_SIDE = TILE_PX // FACTOR
_STRIDE = _SIDE // 2
Tick = Callable[[], None]


@dataclass(frozen=True)
class View:
    """What the network sees of a region.

    Attributes:
        image: `(3, 4 * h, 4 * w)`, 0..1, padded; may be a memory map.
        conditions: `(c, h, w)` from `region_conditions`; may be a memory map.
        tone: Of the region.
    """

    image: NDArray[np.float32]
    conditions: NDArray[np.float16]
    tone: Tone


@dataclass(frozen=True)
class Noise:
    """What the noise of an answer depends on, beside the position on the ground.

    Attributes:
        seed: Of the run.
        member: Number of the member.
        year: 0 for what a member has the same in all years, else the calendar year.
    """

    seed: int
    member: int
    year: int = 0


class RegionNetwork:
    """Answers of the network for a whole region.

    Each cell lies in four tiles of 32 x 32 cells that are half a tile apart; their answers are
    blended with raised-cosine weights. Noise belongs to the ground, so tiles share it.

    Args:
        model: In evaluation mode.
        height: Cells of the (padded) region, at least 32.
        width: Likewise.
        gsd_m: Metres per pixel; None where not known.
        batch_size: Tiles a pass.
    """

    def __init__(
        self,
        model: ChangeUNet,
        *,
        height: int,
        width: int,
        gsd_m: float | None = None,
        batch_size: int = 16,
    ) -> None:
        self._model = model
        self._height, self._width = height, width
        self._gsd_m = gsd_m or 0.0
        self._tiles = plan_tiles(height, width, size=_SIDE, stride=_STRIDE)
        self._weight = tile_weight(_SIDE, _SIDE - _STRIDE)
        self._batch_size = batch_size

    @property
    def ticks(self) -> int:
        """How often `tick` is called for an answer."""
        return -(-len(self._tiles) // self._batch_size)

    @property
    def longest_years(self) -> int:
        """The longest horizon in whole years that the network was trained on, at least 1."""
        return max(1, int(self._model.config.horizon_years[1]))

    def change(
        self, view: View, years: float, noise: Noise, tick: Tick | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probability `(h, w)` of lasting change, and look `(3, h, w)` as a difference to it."""

        def parts(answer: Answer) -> Tensor:
            return torch.cat([torch.sigmoid(answer.change), answer.look], dim=1)

        planes = self._blended(view, years, noise, parts, 4, tick)
        return planes[0], planes[1:]

    def seen(
        self, view: View, years: float, noise: Noise, tick: Tick | None = None
    ) -> NDArray[np.float32]:
        """Difference `(3, h, w)` of an observation to the state of the land."""
        return self._blended(view, years, noise, lambda answer: answer.seen, 3, tick)

    @torch.inference_mode()
    def _blended(
        self,
        view: View,
        years: float,
        noise: Noise,
        parts: Callable[[Answer], Tensor],
        channels: int,
        tick: Tick | None,
    ) -> NDArray[np.float32]:
        model, device = self._model, self._model.device
        whose = {"seed": noise.seed, "member": noise.member, "year": noise.year}
        around = Window(-HALO, -HALO, self._height + 2 * HALO, self._width + 2 * HALO)
        field = shaped(torch.from_numpy(ground_noise(around, **whose))[None])[0]
        count = int(model.config.regional_noise)
        regional = torch.from_numpy(regional_noise(**whose, count=count)).to(device)
        blend = Blend(channels, self._height, self._width)
        for first in range(0, len(self._tiles), self._batch_size):
            tiles = self._tiles[first : first + self._batch_size]
            size = len(tiles)
            tone = Tone(
                view.tone.mean.expand(size, -1).to(device),
                view.tone.contrast.expand(size).to(device),
            )
            condition = torch.cat([self._patches(view, tiles), self._told(view, tiles)], dim=1)
            with autocast(device):
                answer = model(
                    torch.stack([field[(slice(None), *t.slices)] for t in tiles]).to(device),
                    condition.to(device),
                    tone,
                    torch.full((size,), float(years), device=device),
                    torch.full((size,), self._gsd_m, device=device),
                    regional.expand(size, -1),
                )
            for tile, values in zip(tiles, parts(answer).float().cpu().numpy(), strict=True):
                blend.add(tile, values, self._weight)
            if tick is not None:
                tick()
        return blend.image()

    @staticmethod
    def _patches(view: View, tiles: list[Window]) -> Tensor:
        pixels = [view.image[(slice(None), *in_pixels(tile).slices)] for tile in tiles]
        past = torch.from_numpy(np.stack(pixels))
        tone = Tone(view.tone.mean.expand(len(tiles), -1), view.tone.contrast.expand(len(tiles)))
        return to_patches(tone.units(past) / 2)

    @staticmethod
    def _told(view: View, tiles: list[Window]) -> Tensor:
        told = [view.conditions[(slice(None), *tile.slices)] for tile in tiles]
        return torch.from_numpy(np.stack(told).astype(np.float32))
