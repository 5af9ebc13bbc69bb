"""One step of a whole region: tiles fused at every pass, then lifted block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.colours import Colours, LandColours, kept_to
from forecast.fluctuation import lasting
from forecast.history import History
from forecast.lift import Lift
from forecast.noise import ground_noise, regional_noise
from forecast.objects import settle, share_noise
from forecast.patches import FACTOR, TILE_PX, padded_shape, to_low
from forecast.sampling import sample
from forecast.unet import ForecastUNet
from preprocessing.blending import Blend, tile_weight
from preprocessing.grid import Window
from preprocessing.precision import autocast
from preprocessing.tiling import plan_tiles

__all__ = ["EarlierImage", "RegionStepper", "StepKey"]

_LIFT_BLOCK = 64
_NOTHING = 0.25 / 255
"""A state is copied where nothing that lasts changes by more than this."""
Tick = Callable[[], None]


@dataclass(frozen=True)
class StepKey:
    """What the noise of a step depends on, beside the position."""

    seed: int
    member: int
    year: int


@dataclass(frozen=True)
class EarlierImage:
    """The region at an earlier date.

    Attributes:
        image: `(3, height, width)` like the state, on its grid and in its tone; may be a memory
            map.
        years: Before the state, above 0.
    """

    image: NDArray[np.float32]
    years: float


class RegionStepper:
    """Carries an image of any size a number of years ahead.

    Args:
        model: In evaluation mode.
        lift: From low to full resolution.
        height: Rows of the (padded) image, a multiple of 4, at least 128.
        width: Columns, likewise.
        gsd_m: Metres per pixel; None where not known.
        stride: Step between tiles on the model's output grid, 1 to its `output_size`. Half a tile
            where None: four tiles then cover each pixel.
        batch_size: Tiles a pass.
        steps: Network passes; the model's own default where None.
        land: Colours that land has, beside those of the region; None leaves colours free.
    """

    def __init__(
        self,
        model: ForecastUNet,
        lift: Lift,
        *,
        height: int,
        width: int,
        gsd_m: float | None = None,
        stride: int | None = None,
        batch_size: int = 16,
        steps: int | None = None,
        land: LandColours | None = None,
    ) -> None:
        if (height, width) != padded_shape(height, width):
            raise ValueError(f"expected a padded shape, got {height} x {width}")
        self._model, self._lift = model, lift
        factor = self._factor = model.factor
        self._height, self._width = height // factor, width // factor
        size = TILE_PX // factor
        stride = size // 2 if stride is None else stride
        self._tiles = plan_tiles(self._height, self._width, size=size, stride=stride)
        self._weight = tile_weight(size, size - stride)
        self._gsd_m = gsd_m or 0.0
        self._land = None if land is None else land.at(self._gsd_m)
        self._batch_size = batch_size
        self._steps = steps or int(model.config.sampling_steps)
        self._blocks = _blocks(height // FACTOR, width // FACTOR, _LIFT_BLOCK)

    @property
    def history(self) -> int:
        """Earlier dates the model takes."""
        return int(self._model.config.history)

    @property
    def ticks(self) -> int:
        """How often `tick` is called in a step."""
        batches = -(-len(self._tiles) // self._batch_size)
        return batches * self._steps + len(self._blocks)

    def colours(self, start: NDArray[np.float32]) -> Colours | None:
        """What changed ground may look like: as the region at the start, or as land elsewhere."""
        return None if self._land is None else self._land | Colours.of(self._low(start))

    @torch.inference_mode()
    def step(
        self,
        state: NDArray[np.float32],
        result: NDArray[np.float32],
        key: StepKey,
        *,
        years: float = 1.0,
        history: Sequence[EarlierImage] = (),
        carried: NDArray[np.float32] | None = None,
        colours: Colours | None = None,
        tick: Tick | None = None,
    ) -> None:
        """Write the image `years` after `state` into `result`; both `(3, height, width)`.

        Either may be a memory map: only blocks are held in memory, besides low-resolution planes
        of the difference and of the earlier dates. `history` is the earlier dates, the nearest
        first; those the model does not take are left out. `carried` gets the state that later
        years go on from: what is of this year alone (`forecast.fluctuation`) is not in it.
        Changed ground is kept to `colours`.
        """
        whole, difference = self._difference(
            state, key, years, history[: self.history], colours, tick
        )
        lasts = lasting(whole)
        for block in self._blocks:
            self._lift_block(block, state, result, difference)
            if carried is not None:
                self._lift_block(block, state, carried, lasts, least=_NOTHING)
            if tick is not None:
                tick()

    def _difference(
        self,
        state: NDArray[np.float32],
        key: StepKey,
        years: float,
        history: Sequence[EarlierImage],
        colours: Colours | None,
        tick: Tick | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The change of whole objects, and all of the change: `(3, h, w)`, output grid."""
        model, device = self._model, next(self._model.parameters()).device
        earlier = torch.empty(len(history), 3, self._height, self._width)
        for plane, image in zip(earlier, history, strict=True):
            plane.copy_(self._low(image.image))
        ago = torch.tensor([image.years for image in history])

        regional = torch.from_numpy(
            regional_noise(
                seed=key.seed,
                member=key.member,
                year=key.year,
                count=model.config.regional_noise,
            )
        ).to(device)

        def fused(canvas: Tensor, time: float) -> Tensor:
            blend = Blend(model.output_channels, self._height, self._width)
            for start in range(0, len(self._tiles), self._batch_size):
                tiles = self._tiles[start : start + self._batch_size]
                past = torch.from_numpy(
                    np.stack(
                        [
                            state[(slice(None), *_scaled(tile, self._factor).slices)]
                            for tile in tiles
                        ]
                    )
                ).to(device)
                noisy = torch.stack([canvas[(slice(None), *tile.slices)] for tile in tiles])
                known = History(
                    torch.stack([earlier[(..., *tile.slices)] for tile in tiles]),
                    ago.expand(len(tiles), -1),
                ).to(device)
                with autocast(device):
                    output = model.guided(
                        noisy.to(device),
                        model.condition(past, known),
                        past.new_full((len(tiles),), time),
                        past.new_full((len(tiles),), years),
                        past.new_full((len(tiles),), self._gsd_m),
                        regional.expand(len(tiles), -1),
                    )
                for tile, values in zip(tiles, output.cpu().numpy(), strict=True):
                    blend.add(tile, values, self._weight)
                if tick is not None:
                    tick()
            return torch.from_numpy(blend.image())

        everything = Window(0, 0, self._height, self._width)
        present = self._low(state)
        segments = model.segments(present[None])

        def noise(number: int) -> Tensor:
            plane = ground_noise(
                everything, seed=key.seed, member=key.member, year=key.year, number=number
            )
            return share_noise(torch.from_numpy(plane)[None], segments)[0]

        scaled = sample(
            fused,
            noise(0),
            model.process,
            steps=self._steps,
            sampler=model.config.sampler,
            further=noise,
        )
        whole, within = (
            part[0] * float(model.config.target_scale) for part in settle(scaled[None], segments)
        )
        lasts, change = anchored(whole), anchored(whole + within)
        if colours is not None:
            lasts = kept_to(colours, lasts, present, segments.objects[0, :1])
            change = kept_to(colours, change, present, segments.all[0, -1:])
        return lasts.numpy(), change.numpy()

    def _low(self, state: NDArray[np.float32]) -> Tensor:
        """Block means of the whole state on the output grid, `(3, h, w)`, read block by block."""
        low = torch.empty(3, self._height, self._width)
        for block in self._blocks:
            pixels = torch.from_numpy(np.array(state[(slice(None), *_scaled(block).slices)]))
            inside = _scaled(block, FACTOR // self._factor)
            low[(slice(None), *inside.slices)] = to_low(pixels[None], self._factor)[0]
        return low

    def _lift_block(
        self,
        block: Window,
        state: NDArray[np.float32],
        result: NDArray[np.float32],
        difference: NDArray[np.float32],
        least: float = 0.0,
    ) -> None:
        """Write a block of `result`: a copy where nothing around changes by more than `least`."""
        halo = self._lift.halo
        top, left = max(0, block.row - halo), max(0, block.col - halo)
        bottom = min(state.shape[1] // FACTOR, block.row + block.height + halo)
        right = min(state.shape[2] // FACTOR, block.col + block.width + halo)
        around = Window(top, left, bottom - top, right - left)
        change = difference[(slice(None), *_scaled(around, FACTOR // self._factor).slices)]
        if np.abs(change).max() <= least:
            at = (slice(None), *_scaled(block).slices)
            result[at] = state[at]
            return
        observed = torch.from_numpy(np.array(state[(slice(None), *_scaled(around).slices)]))[None]
        present = to_low(observed, self._factor)
        moved = torch.from_numpy(change)[None]
        # Forecasts stay within the stated range; values that were outside it may stay there.
        low, high = present.clamp_max(0.0), present.clamp_min(1.0)
        future = torch.minimum(torch.maximum(present + moved, low), high)
        lifted = self._lift(observed, present, future)[0].cpu().numpy()
        inner = Window(block.row - top, block.col - left, block.height, block.width)
        result[(slice(None), *_scaled(block).slices)] = lifted[
            (slice(None), *_scaled(inner).slices)
        ]


def anchored(difference: Tensor) -> Tensor:
    """Remove the median change of each band over the region, `(3, h, w)`.

    In one step most of the ground stays, so the median is what the network says of ground that
    does not change: a bias, which would add up to a drift of colour over a rollout. The mean would
    not do: where forest is cleared, everything else would darken.
    """
    median = np.median(difference.numpy(), axis=(1, 2), keepdims=True)
    return difference - torch.from_numpy(median)


def _scaled(window: Window, by: int = FACTOR) -> Window:
    return Window(*(by * v for v in (window.row, window.col, window.height, window.width)))


def _blocks(height: int, width: int, size: int) -> list[Window]:
    return [
        Window(row, col, min(size, height - row), min(size, width - col))
        for row in range(0, height, size)
        for col in range(0, width, size)
    ]
