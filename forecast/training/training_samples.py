"""Training items: what a place shows in a window between two dates, varied at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from forecast.network.conditions import Earlier, Tone
from forecast.network.patches import FACTOR, TILE_PX
from forecast.training.place_tensors import UNKNOWN, Ground

__all__ = ["Drawing", "Item", "gather"]

_CELLS = TILE_PX // FACTOR


@dataclass(frozen=True)
class Item:
    """A batch of b items.

    Attributes:
        past: `(b, 3, 128, 128)` 0..1.
        future: `(b, 3, 32, 32)` cells of the later date in the colours of the past, 0..1.
        seen: `(b, 1, 32, 32)` 1 where both dates are valid.
        change: `(b, 1, 32, 32)` probability that the ground changed lastingly.
        labelled: `(b, 1, 32, 32)` 1 where that is known.
        earlier: Dates before the past.
        tone: Of the regions at the past.
        years: `(b,)` horizon.
        gsd_m: `(b,)`, 0 where withheld.
        weight: `(b,)` how much an item counts for occurrence, so that drawing tiles with change
            more often does not change the probabilities; mean about 1.
        place: `(b,)` number of the place.
    """

    past: Tensor
    future: Tensor
    seen: Tensor
    change: Tensor
    labelled: Tensor
    earlier: Earlier
    tone: Tone
    years: Tensor
    gsd_m: Tensor
    weight: Tensor
    place: Tensor


@dataclass(frozen=True)
class Drawing:
    """How items are drawn and varied.

    Attributes:
        dates: Most earlier dates of an item.
        alone: Share of the items without any earlier date.
        boost: How much more often than others a window is drawn that has changed as a whole.
        mixing: Size of the random mixing of bands; half of the items have bands permuted too.
        gsd_dropout: Share of the items whose metres per pixel are withheld.
    """

    dates: int = 10
    alone: float = 0.35
    boost: float = 30.0
    mixing: float = 0.25
    gsd_dropout: float = 0.15


def gather(
    ground: Ground,
    rows: Tensor,
    weight: Tensor,
    drawing: Drawing | None,
    generator: torch.Generator,
) -> Item:
    """Read items from the ground, varied unless `drawing` is None (then with all dates).

    Args:
        ground: On a device.
        rows: `(b, 6)` of a catalogue, on that device.
        weight: `(b,)` likewise.
        drawing: How they are varied.
        generator: Of that device.
    """
    device = rows.device
    place, start, end, label, top, left = rows.unbind(dim=1)
    height, width = ground.height[place], ground.width[place]
    size = len(rows)
    if drawing is not None:
        shift = torch.randint(-8, 9, (2, size), generator=generator, device=device)
        top = (top + shift[0]).clamp_min(0).minimum(height - _CELLS)
        left = (left + shift[1]).clamp_min(0).minimum(width - _CELLS)
    first = ground.first[place]
    now = first + start
    past = ground.pixels[_window_at(ground.pixels_at[now], height, width, top, left, FACTOR, 3)]
    dates, ago, keep = _earlier_dates(ground, place, start, drawing, generator)
    all_dates = torch.cat([dates, (first + end)[:, None]], dim=1)
    count = all_dates.shape[1]

    def each(values: Tensor) -> Tensor:
        return values[:, None].expand(-1, count).reshape(-1)

    flat = all_dates.reshape(-1)
    at = (each(height), each(width), each(top), each(left))
    cells = ground.cells[_window_at(ground.cells_at[flat], *at, 1, 3)]
    known = ground.known[_window_at(ground.known_at[flat], *at, 1, 1)]
    matrix, offset = _to_start(ground.colours, all_dates, now)
    values = cells.view(size, count, 3, _CELLS, _CELLS).float() / 255
    mapped = torch.einsum("btij,btjhw->btihw", matrix, values) + offset[..., None, None]
    known = known.view(size, count, _CELLS, _CELLS)
    here = ground.known[_window_at(ground.known_at[now], height, width, top, left, 1, 1)]
    earlier = Earlier(mapped[:, :-1], known[:, :-1] & keep[..., None, None], ago)
    codes = ground.labels[_window_at(ground.labels_at[label], height, width, top, left, 1, 1)]
    labelled = codes != UNKNOWN
    seen = (known[:, -1:] & here).float()
    item = Item(
        past=past.float() / 255,
        future=mapped[:, -1],
        seen=seen,
        change=torch.where(labelled, codes.float() / 254, 0.0),
        labelled=labelled.float() * here,
        earlier=earlier,
        tone=Tone(
            ground.mean[now],
            ground.covariance[now].diagonal(dim1=1, dim2=2).mean(dim=1).sqrt().clamp_min(0.03),
        ),
        years=(ground.years[first + end] - ground.years[now]).float(),
        gsd_m=ground.gsd_m[place],
        weight=weight,
        place=place,
    )
    return item if drawing is None else _varied(item, ground.covariance[now], drawing, generator)


def _to_start(colours: Tensor, dates: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """Maps from the colours of dates `(b, t)` to those of the starts `(b,)`: matrix and offset."""
    back = torch.linalg.inv(colours[now, :, :3])[:, None]
    there = colours[dates]
    matrix = back @ there[..., :3]
    shift = there[..., 3:] - colours[now, :, 3:][:, None]
    return matrix, (back @ shift).squeeze(-1)


def _window_at(
    at: Tensor,
    height: Tensor,
    width: Tensor,
    top: Tensor,
    left: Tensor,
    factor: int,
    channels: int,
) -> Tensor:
    """Where the values of windows lie."""
    side = torch.arange(_CELLS * factor, device=at.device)
    rows = (top[:, None] * factor + side).view(-1, 1, len(side), 1)
    columns = (left[:, None] * factor + side).view(-1, 1, 1, len(side))
    plane = torch.arange(channels, device=at.device).view(1, -1, 1, 1)
    height, width = (v.view(-1, 1, 1, 1) * factor for v in (height, width))
    return at.view(-1, 1, 1, 1) + (plane * height + rows) * width + columns


def _earlier_dates(
    ground: Ground,
    place: Tensor,
    start: Tensor,
    drawing: Drawing | None,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Dates before the start: `(b, d)` numbers, years ago and whether they count."""
    device, size = place.device, len(place)
    most = int(ground.count.max()) - 1 if drawing is None else drawing.dates
    longest = int(ground.count.max())
    there = torch.arange(longest, device=device) < start[:, None]
    if drawing is None:
        key = torch.arange(longest, device=device).flip(0).float().expand(size, -1)
    else:
        key = torch.rand((size, longest), generator=generator, device=device)
        rate = torch.rand((size, 1), generator=generator, device=device) ** 0.5
        alone = torch.rand((size, 1), generator=generator, device=device) < drawing.alone
        kept = torch.rand((size, longest), generator=generator, device=device) < rate
        there = there & kept & ~alone
    order = torch.where(there, key, 2.0 + longest).argsort(dim=1)[:, : max(1, most)]
    keep = there.gather(1, order)
    order = torch.where(keep, order, 0)
    dates = ground.first[place][:, None] + order
    now = ground.years[ground.first[place] + start]
    ago = (now[:, None] - ground.years[dates]).float()
    return dates, ago * keep, keep


def _varied(item: Item, covariance: Tensor, drawing: Drawing, generator: torch.Generator) -> Item:
    """Turned, mirrored, with bands mixed and metres per pixel withheld at random."""
    device, size = item.past.device, len(item.past)

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    permuted = rand(size, 3).argsort(dim=1)
    plain = rand(size, 1) < 0.5
    order = torch.where(plain, torch.arange(3, device=device), permuted)
    mix = torch.eye(3, device=device)[order]
    mix = mix + drawing.mixing * torch.randn((size, 3, 3), generator=generator, device=device)
    mix = mix * (0.7 + 0.6 * rand(size, 1, 1))
    offset = 0.2 * rand(size, 3) - 0.1
    centre = item.tone.mean

    def mixed(image: Tensor) -> Tensor:
        flat = image - centre.view(size, *[1] * (image.ndim - 4), 3, 1, 1)
        turned = torch.einsum("bij,b...jhw->b...ihw", mix, flat)
        return turned + (centre + offset).view(size, *[1] * (image.ndim - 4), 3, 1, 1)

    contrast = (mix @ covariance @ mix.transpose(1, 2)).diagonal(dim1=1, dim2=2).mean(dim=1)
    tone = Tone(centre + offset, contrast.clamp_min(0).sqrt().clamp_min(0.03))
    fields = [
        mixed(item.past),
        mixed(item.future),
        item.seen,
        item.change,
        item.labelled,
        mixed(item.earlier.cells),
        item.earlier.known,
    ]
    for axis, flips in ((-1, rand(size) < 0.5), (-2, rand(size) < 0.5)):
        fields = [_where(flips, f.flip(axis), f) for f in fields]
    turn = rand(size) < 0.5
    past, future, seen, change, labelled, cells, known = (
        _where(turn, f.transpose(-1, -2), f) for f in fields
    )
    withheld = rand(size) < drawing.gsd_dropout
    return Item(
        past=past,
        future=future,
        seen=seen,
        change=change,
        labelled=labelled,
        earlier=Earlier(cells, known, item.earlier.ago),
        tone=tone,
        years=item.years,
        gsd_m=torch.where(withheld, 0.0, item.gsd_m * (0.8 + 0.4 * rand(size))),
        weight=item.weight,
        place=item.place,
    )


def _where(choice: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(choice.view(-1, *[1] * (yes.ndim - 1)), yes, no)
