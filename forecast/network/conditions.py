"""What any number of earlier dates says of the ground, as a fixed number of channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from preprocessing.lasting_change.rule import LEVEL

__all__ = [
    "CONDITIONS",
    "LASTING",
    "PAST_CHANNELS",
    "RULES",
    "TEXTURE_CHANNEL",
    "Earlier",
    "Tone",
    "conditions",
    "past_change",
    "rule_columns",
]

CONDITIONS = 18
RULES = ((8, 0.5), (9, 0.5), (17, 0.25))
"""Channels of the size of past change at two scales and of texture, and log odds a unit of their
`rule_columns`."""
TEXTURE_CHANNEL = 17
_SOME_YEARS, _MANY_YEARS = 3.0, 8.0
_NEARNESS_YEARS = 0.3
_FINE, _COARSE, _TEXTURE = 1.5, 4.0, 2.0
"""Standard deviations of Gaussian windows, in cells."""
LASTING = LEVEL / 255
"""Difference of cells that counts as lasting change, 0..1."""
_MOST = 4.0
_LEAST_CONTRAST, _LEAST_WEIGHT = 0.03, 1e-4
PAST_CHANNELS = (8, 9, 15)
"""Channels of the size of past change at two scales, and of the number of dates."""
_LEAST_SIZE, _USUAL_SIZE = 0.05, 1.5
"""What is added to a size before its logarithm is taken, and a usual logarithm over that of it."""


@dataclass(frozen=True)
class Earlier:
    """Earlier dates of b pictures, in any order.

    Attributes:
        cells: `(b, d, 3, h, w)` means over cells, 0..1, in the colours of the present; anything
            where `known` is false.
        known: `(b, d, h, w)` bool.
        ago: `(b, d)` years before the present, above 0; 0 where there is no date.
    """

    cells: Tensor
    known: Tensor
    ago: Tensor

    @classmethod
    def none(cls, present: Tensor, dates: int = 0) -> Earlier:
        """No earlier date of pictures whose cells are `(b, 3, h, w)`."""
        batch, _, height, width = present.shape
        return cls(
            present.new_zeros((batch, dates, 3, height, width)),
            torch.zeros((batch, dates, height, width), dtype=torch.bool, device=present.device),
            present.new_zeros((batch, dates)),
        )

    def without(self, withheld: Tensor) -> Earlier:
        """Those that are not `withheld`, `(b, d)` bool."""
        keep = ~withheld
        return Earlier(self.cells, self.known & keep[..., None, None], self.ago * keep)


@dataclass(frozen=True)
class Tone:
    """How bright and how rich in contrast a region is; the network sees pictures in these units.

    Attributes:
        mean: `(b, 3)` of the cells of the region, 0..1.
        contrast: `(b,)` standard deviation of its cells around that, over all bands.
    """

    mean: Tensor
    contrast: Tensor

    @classmethod
    def of(cls, cells: Tensor, *, room: Tensor | None = None) -> Tone:
        """Of whole pictures `(b, 3, h, w)`; `room` of that shape is worked in if given."""
        mean = cells.mean(dim=(-2, -1))
        apart = torch.sub(cells, mean[..., None, None], out=room)
        spread = apart.square_().mean(dim=(1, 2, 3)).sqrt()
        return cls(mean, spread.clamp_min(_LEAST_CONTRAST))

    def repeat(self, times: int) -> Tone:
        """Of the pictures repeated as `Tensor.repeat` does along the first axis."""
        return Tone(self.mean.repeat(times, 1), self.contrast.repeat(times))

    def units(self, image: Tensor) -> Tensor:
        """Pictures `(b, 3, ...)` in units of contrast around the mean."""
        shape = (-1, 3, *[1] * (image.ndim - 2))
        return (image - self.mean.view(shape)) / self.contrast.view(-1, *[1] * (image.ndim - 1))


def conditions(present: Tensor, earlier: Earlier, tone: Tone) -> Tensor:
    """Channels that tell how the ground came to look as it does; zero where nothing is known.

    Differences to the present some three and some eight years ago (of the nearest dates, so that
    equal dates count alike), how long ago these were, their smoothed size at two scales, trend a
    decade by least squares, what is left around it, years since the last lasting change (from
    which on, looking back, the ground never again looked as today), number of dates and span; and
    the smoothed texture of the present.

    Args:
        present: `(b, 3, h, w)` cells, 0..1.
        earlier: Its earlier dates.
        tone: Of the regions the pictures are cut from.

    Returns:
        `(b, CONDITIONS, h, w)`, about -4..4.
    """
    scale = tone.contrast.view(-1, 1, 1, 1)
    grey = present.mean(dim=1, keepdim=True)
    texture = smooth(_gradient(grey), _TEXTURE) / scale
    batch, _, height, width = present.shape
    if earlier.ago.shape[1] == 0:
        nothing = present.new_zeros((batch, CONDITIONS - 1, height, width))
        return torch.cat([nothing, texture.clamp(0, _MOST)], dim=1)
    known = (earlier.known & (earlier.ago > 0)[..., None, None]).to(present.dtype)
    ago = earlier.ago.view(batch, -1, 1, 1)
    change = (present[:, None] - earlier.cells) * known[:, :, None]
    some, some_ago = _nearest(change, known, ago, _SOME_YEARS)
    many, many_ago = _nearest(change, known, ago, _MANY_YEARS)
    size = (some.abs().mean(dim=1, keepdim=True) + many.abs().mean(dim=1, keepdim=True)) / 2
    trend, rest = _trend(change, known, ago)
    count = known.sum(dim=1, keepdim=True)
    told = (count > 0).to(present.dtype)
    channels = [
        some / scale,
        many / scale,
        torch.log1p(some_ago) / 2,
        torch.log1p(many_ago) / 2,
        2 * smooth(size, _FINE, told) / scale,
        2 * smooth(size, _COARSE, told) / scale,
        10 * trend / scale,
        2 * rest / scale,
        torch.log1p(_since(change, known, ago)) / 2,
        torch.log1p(count) / 2,
        torch.log1p((known * ago).amax(dim=1, keepdim=True)) / 2,
        texture,
    ]
    return torch.cat(channels, dim=1).clamp(-_MOST, _MOST)


def past_change(told: Tensor) -> Tensor:
    """How large past change was, at two scales.

    Args:
        told: `(b, 3, h, w)`, the `PAST_CHANNELS` of `conditions`.

    Returns:
        `(b, 2, h, w)` logarithms, about -1.5 to 2.9; 0 where no earlier date is known.
    """
    size = torch.log1p(told[:, :2].float() / _LEAST_SIZE) - _USUAL_SIZE
    return torch.where(told[:, 2:] > 0, size, 0)


def rule_columns(condition: Tensor) -> Tensor:
    """`conditions` with the sizes of past change as their logarithms, see `past_change`."""
    columns = condition.float().clone()
    columns[:, PAST_CHANNELS[:2]] = past_change(condition[:, PAST_CHANNELS])
    return columns


def smooth(field: Tensor, sigma: float, weight: Tensor | None = None) -> Tensor:
    """Gaussian window over `(b, c, h, w)`, normalised at the edges.

    Args:
        field: Anything.
        sigma: In cells.
        weight: `(b, 1, h, w)` of the cells; 0 is found where none is near that has any. Default:
            all alike.
    """
    reach = int(3 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=field.dtype, device=field.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    channels = field.shape[1]
    down = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)

    def blurred(x: Tensor) -> Tensor:
        x = F.conv2d(x, down, padding=(reach, 0), groups=channels)
        return F.conv2d(x, across, padding=(0, reach), groups=channels)

    if weight is None:
        return blurred(field) / blurred(torch.ones_like(field[:1]))
    return blurred(field * weight) / blurred(weight.expand_as(field)).clamp_min(_LEAST_WEIGHT)


def _gradient(grey: Tensor) -> Tensor:
    """Sum of the sizes of both central differences, as `numpy.gradient` takes them."""
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return across.abs() + down.abs()


def _nearest(change: Tensor, known: Tensor, ago: Tensor, wanted: float) -> tuple[Tensor, Tensor]:
    """Change since the date nearest to so many years ago, and its years: `(b, 3 | 1, h, w)`."""
    distance = (ago - wanted).abs() / _NEARNESS_YEARS
    nearest = torch.where(known > 0, distance, torch.inf).amin(dim=1, keepdim=True)
    weight = torch.exp(-(distance - nearest.nan_to_num(posinf=0.0)).clamp(0, 60)) * known
    weight = weight / weight.sum(dim=1, keepdim=True).clamp_min(1e-6)
    return (weight[:, :, None] * change).sum(dim=1), (weight * ago).sum(dim=1, keepdim=True)


def _trend(change: Tensor, known: Tensor, ago: Tensor) -> tuple[Tensor, Tensor]:
    """Slope a year through the present, by least squares, and the size of what is left."""
    squares = (known * ago**2).sum(dim=1, keepdim=True).clamp_min(1.0)
    slope = (change * ago[:, :, None]).sum(dim=1) / squares
    rest = (change - slope[:, None] * ago[:, :, None]) * known[:, :, None]
    count = known.sum(dim=1, keepdim=True).clamp_min(1.0)
    return slope, (rest.square().mean(dim=2).sum(dim=1, keepdim=True) / count).sqrt()


def _since(change: Tensor, known: Tensor, ago: Tensor) -> Tensor:
    """Years since the newest date from which on, looking back, no date looks like the present."""
    size = change.square().mean(dim=2).sqrt()
    alike = (size <= LASTING) & (known > 0)
    # A date counts if no date as old or older looks like the present.
    oldest_alike = (alike * ago).amax(dim=1, keepdim=True)
    counts = (known > 0) & (ago > oldest_alike)
    newest = torch.where(counts, ago.expand_as(known), torch.inf).amin(dim=1, keepdim=True)
    return newest.nan_to_num(posinf=0.0)
