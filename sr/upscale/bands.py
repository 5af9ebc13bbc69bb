"""Upscaling pictures and bands of any number, size and scale with one network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from preprocessing.errors import RequestError
from preprocessing.rasters.window import Window
from sr.lift.block_means import keep_means
from sr.network.inference import upscale_batch
from sr.network.rrdb import RRDBNet, bicubic_upsample
from sr.upscale.tile_plan import SCALE, Stretch, plan_axis
from sr.upscale.tiled import Block, Reader, stream_tiles

__all__ = ["Method", "UpscaleOptions", "Upscaler", "band_groups"]

Method = Literal["network", "bicubic"]

_PAD = 16
_PAD_WITHOUT_SKIP = 32


@dataclass(frozen=True)
class UpscaleOptions:
    """How to upscale; the names are those of Real-ESRGAN where it has the option.

    Attributes:
        outscale: Scale of the result, 1 to 8. The network enlarges by four; area means or
            Lanczos-3 do the rest.
        tile: Longest side of a tile in pixels of the input, 0 for one tile of any size.
        tile_pad: Pixels that a tile sees of its neighbours, at most as many are blended.
            Where None: 16, beyond which the shipped network does not look, and 32 for networks
            without a global skip.
        pre_pad: Pixels by which the image is mirrored at its edges.
        fp32: Compute in float32 also where bfloat16 is fast. 16-bit and real values always are.
        consistent: Make the 4x4 means of the network's output equal to the input.
        alpha_upsampler: How alpha is enlarged.
        bandwise: One band at a time, as grey; else bands go through the network by threes.
    """

    outscale: float = 4.0
    tile: int = 256
    tile_pad: int | None = None
    pre_pad: int = 8
    fp32: bool = False
    consistent: bool = False
    alpha_upsampler: Method = "network"
    bandwise: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.outscale <= 8:
            raise RequestError(f"expected --outscale between 1 and 8, got {self.outscale}")
        if self.tile and not 16 <= self.tile <= 4096:
            raise RequestError(f"expected --tile of 16 to 4096, or 0 for none, got {self.tile}")
        for name in ("tile_pad", "pre_pad"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 512:
                raise RequestError(f"expected --{name.replace('_', '-')} of 0 to 512, got {value}")
        if self.alpha_upsampler not in ("network", "bicubic"):
            raise RequestError(
                f"expected --alpha-upsampler network or bicubic, got {self.alpha_upsampler}"
            )

    def out_length(self, length: int) -> int:
        """Pixels of the result along an axis of `length` pixels."""
        return max(1, round(length * self.outscale))


class Upscaler:
    """A network and how to use it.

    Args:
        network: In evaluation mode, with as many channels out as in.
        options: See `UpscaleOptions`.

    Raises:
        RequestError: The network has other channels out than in.
    """

    def __init__(self, network: RRDBNet, options: UpscaleOptions | None = None) -> None:
        if network.config.in_channels != network.config.out_channels:
            raise RequestError(
                f"expected a network with as many channels out as in, got "
                f"{network.config.in_channels} and {network.config.out_channels}; choose another "
                "--model"
            )
        self.network = network
        self.options = options or UpscaleOptions()

    @property
    def channels(self) -> int:
        """Channels of the network."""
        return int(self.network.config.in_channels)

    def groups(self, count: int) -> list[tuple[int, ...]]:
        """Which of `count` bands go through the network together."""
        return band_groups(count, 1 if self.options.bandwise else self.channels)

    def plan(self, height: int, width: int) -> tuple[list[Stretch], list[Stretch]]:
        """Tiles of an image along its rows and columns."""
        options = self.options
        pad = options.tile_pad
        if pad is None:
            pad = _PAD if self.network.config.global_skip else _PAD_WITHOUT_SKIP
        rows, cols = (
            plan_axis(
                length,
                options.out_length(length),
                tile=options.tile,
                pad=pad,
                edge_pad=options.pre_pad,
            )
            for length in (height, width)
        )
        return rows, cols

    def stream(
        self,
        read: Reader,
        *,
        channels: int,
        shape: tuple[int, int],
        method: Method = "network",
        exact: bool = False,
        bounded: bool = False,
        start_row: int = 0,
    ) -> Iterator[Block]:
        """Upscale a group of bands, see `stream_tiles`.

        Args:
            read: Values nominally 0..1.
            channels: As many as the network has, or one.
            shape: Rows and columns of the image.
            method: The network, or cubic interpolation in its place.
            exact: Compute in float32, for values of more than 8 bits.
            bounded: Keep results within the values of the 3 x 3 pixels around.
            start_row: First row of tiles to yield.
        """
        rows, cols = self.plan(*shape)
        half = not (exact or self.options.fp32)

        def free(low: Tensor) -> Tensor:
            if method == "bicubic":
                return bicubic_upsample(low, SCALE)
            high = self._network(low, half)
            return keep_means(high, low) if self.options.consistent else high

        def enlarge(low: Tensor) -> Tensor:
            return _within_neighbours(free(low), low) if bounded else free(low)

        return stream_tiles(enlarge, read, rows, cols, channels=channels, start_row=start_row)

    def array(
        self, image: NDArray[np.float32], *, method: Method = "network", exact: bool = False
    ) -> NDArray[np.float32]:
        """Upscale an image `(c, h, w)`, 0..1, of any number of bands in memory; not clipped."""
        count, height, width = image.shape
        options = self.options
        size = (options.out_length(height), options.out_length(width))
        result = np.empty((count, *size), np.float32)
        for group in self.groups(count):
            chosen = image[list(group)]

            def read(window: Window, pixels: NDArray[np.float32] = chosen) -> NDArray[np.float32]:
                return pixels[(slice(None), *window.slices)]

            for block in self.stream(
                read, channels=len(group), shape=(height, width), method=method, exact=exact
            ):
                result[(slice(group[0], group[-1] + 1), *block.window.slices)] = block.pixels
        return result

    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the weights."""
        digest = hashlib.sha256()
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @torch.inference_mode()
    def _network(self, low: Tensor, half: bool) -> Tensor:
        """The network; a single band is shown to all its channels and their mean taken."""
        if low.shape[1] == self.channels:
            return upscale_batch(self.network, low, half=half)
        grey = low.expand(-1, self.channels, -1, -1)
        return upscale_batch(self.network, grey, half=half).mean(dim=1, keepdim=True)


def _within_neighbours(high: Tensor, low: Tensor) -> Tensor:
    """Clip `(b, c, 4h, 4w)` to the values of the 3 x 3 pixels of `(b, c, h, w)` around."""
    most = functional.max_pool2d(low, 3, stride=1, padding=1)
    least = -functional.max_pool2d(-low, 3, stride=1, padding=1)
    lowest, highest = (
        functional.interpolate(bound, scale_factor=SCALE, mode="nearest") for bound in (least, most)
    )
    return torch.minimum(torch.maximum(high, lowest), highest)


def band_groups(count: int, size: int) -> list[tuple[int, ...]]:
    """Bands `0..count` by groups of `size` in their order, those left over one by one."""
    full = count - count % size
    groups = [tuple(range(start, start + size)) for start in range(0, full, size)]
    return groups + [(band,) for band in range(full, count)]
