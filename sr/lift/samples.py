"""Training examples of the guided network, drawn on the device that trains.

An example is a picture of today, what the 4x4 means become, and the picture to make of both. Three
kinds are mixed. *Whole* pairs are two dates as they are: light, season and shift differ everywhere.
*States* keep the picture of today but for objects, which take the later date or the picture of
another place: so forecasts look that leave other ground as it is. And of states some are *drawn*
as a forecaster draws: the change is averaged over objects, whole cells change, noise is on top; the
picture to make is then the truth brought to those means.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sr.lift.block_means import copied_where_same, keep_block_means, upsample_consistently
from sr.training.degradations import area_downsample

__all__ = ["Example", "Mixture", "draw_examples"]

_SCALE = 4
_BOX = 5  # Cells over which a drawn forecast averages a change.
_MOST_NOISE = 0.02


@dataclass(frozen=True)
class Mixture:
    """How examples are mixed.

    Attributes:
        whole: Share of whole pairs; the others are states.
        elsewhere: Share of states whose objects take the picture of another place.
        drawn: Share of states with means as a forecaster draws them.
        noisy: Share of whole pairs with noise on the means.
        contrast: Least and largest factor on the contrast of an example.
    """

    whole: float = 0.5
    elsewhere: float = 0.35
    drawn: float = 0.5
    noisy: float = 0.25
    contrast: tuple[float, float] = (0.7, 1.2)

    def __post_init__(self) -> None:
        shares = (self.whole, self.elsewhere, self.drawn, self.noisy)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"expected shares of 0..1, got {self}")
        if not 0 < self.contrast[0] <= self.contrast[1] <= 2:
            raise ValueError(f"expected a contrast of 0..2, lowest first, got {self.contrast}")


@dataclass(frozen=True)
class Example:
    """A batch.

    Attributes:
        observed: `(b, 3, 4h, 4w)` float32, 0..1: today.
        present: `(b, 3, h, w)`: its 4x4 means.
        future: `(b, 3, h, w)`: the 4x4 means to reach.
        target: `(b, 3, 4h, 4w)`: the picture to make; its means are `future`.
    """

    observed: Tensor
    present: Tensor
    future: Tensor
    target: Tensor


def draw_examples(
    tiles: Tensor, mixture: Mixture, *, batch_size: int, crop_px: int, seed: int
) -> Example:
    """Draw a batch, on the device of the tiles.

    Args:
        tiles: `(n, 2, 3, side, side)` uint8: earlier and later date of the same ground.
        mixture: Of kinds.
        batch_size: Examples.
        crop_px: Side of an example in pixels, a multiple of 4.
        seed: Decides everything.
    """
    generator = torch.Generator(tiles.device).manual_seed(seed)
    dice = torch.rand(8, batch_size, 1, 1, 1, generator=generator, device=tiles.device)
    observed, later = _views(tiles, batch_size, crop_px, mixture.contrast, generator)
    state = dice[0] >= mixture.whole
    other = torch.where(dice[1] < mixture.elsewhere, later.roll(1, dims=0), later)
    inside = _objects(observed, later, dice[2:5], generator)
    target = torch.where(state & ~inside, observed, torch.where(state, other, later))
    present, true = area_downsample(observed, _SCALE), area_downsample(target, _SCALE)
    drawn = state & (dice[5] < mixture.drawn)
    noisy = drawn | (~state & (dice[5] < mixture.noisy))
    future = torch.where(drawn, _drawn(present, true, inside, dice[6]), true)
    noise = torch.randn(future.shape, generator=generator, device=tiles.device)
    moved = noisy & (future != present)
    future = torch.where(moved, future + _MOST_NOISE * dice[7] * noise, future)
    brought = keep_block_means(target + upsample_consistently(future - true), future)
    return Example(
        observed, present, future, copied_where_same(brought, observed, future - present)
    )


def _views(
    tiles: Tensor,
    count: int,
    crop_px: int,
    contrast: tuple[float, float],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Both dates of random crops, turned, mirrored, bands and dates swapped: `(b, 3, px, px)`."""
    device, side = tiles.device, tiles.shape[-1]

    def pick(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=generator, device=device)

    which = pick(len(tiles), count, 1, 1, 1)
    start = pick(side - crop_px + 1, 2, count, 1, 1)
    turned, upset, mirrored, swapped = pick(2, 4, count, 1, 1).bool()
    along = torch.arange(crop_px, device=device)
    i, j = along[:, None].expand(crop_px, crop_px), along.expand(crop_px, crop_px)
    rows = torch.where(turned, j, i)
    cols = torch.where(turned, i, j)
    rows = start[0] + torch.where(upset, crop_px - 1 - rows, rows)
    cols = start[1] + torch.where(mirrored, crop_px - 1 - cols, cols)
    bands = torch.rand(count, 3, generator=generator, device=device).argsort(dim=1)[
        :, :, None, None
    ]
    low, high = contrast
    factor = low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator, device=device)

    def read(date: Tensor) -> Tensor:
        found = tiles[which, date.long()[:, None], bands, rows[:, None], cols[:, None]]
        return (0.5 + (found.float() / 255 - 0.5) * factor).clamp(0, 1)

    return read(swapped), read(~swapped)


def _objects(observed: Tensor, later: Tensor, dice: Tensor, generator: torch.Generator) -> Tensor:
    """Where a state changes: `(b, 1, px, px)` bool; blobs, bars, or where the dates differ most."""
    batch, _, _, px = observed.shape
    device = observed.device
    area = 0.03 + 0.5 * dice[1].square()
    coarse = torch.randn(batch, 1, 7, 7, generator=generator, device=device)
    blobs = functional.interpolate(coarse, size=(px, px), mode="bicubic", align_corners=False)
    along = torch.linspace(-1, 1, px, device=device)
    place = torch.rand(4, batch, 1, 1, 1, generator=generator, device=device)
    angle = torch.pi * place[0]
    y, x = along[:, None] - 1.4 * (place[1] - 0.5), along - 1.4 * (place[2] - 0.5)
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    bars = -torch.maximum(u.abs(), v.abs() * (0.4 + 4 * place[3]))
    differing = (later - observed).abs().mean(dim=1, keepdim=True)
    differing = functional.avg_pool2d(differing, 9, 1, 4, count_include_pad=False)
    kind = dice[0]
    score = torch.where(kind < 0.35, blobs, torch.where(kind < 0.7, bars, differing))
    kept = ((1 - area[:, 0, 0, 0]) * px * px).long().clamp_max(px * px - 1)
    ranked = score.flatten(1).sort(dim=1).values
    return score > ranked.gather(1, kept[:, None])[:, :, None, None]


def _drawn(present: Tensor, true: Tensor, inside: Tensor, share: Tensor) -> Tensor:
    """Means as a forecaster draws them: whole cells change, by what their surroundings do."""
    covered = area_downsample(inside.float(), _SCALE)
    cells = (covered > 0.4).float()
    pad = _BOX // 2
    summed = functional.avg_pool2d((true - present) * cells / covered.clamp_min(0.4), _BOX, 1, pad)
    whole = functional.avg_pool2d(cells, _BOX, 1, pad).clamp_min(1e-3)
    change = torch.lerp(true - present, summed / whole, share)
    return torch.where(cells > 0, present + change, present)
