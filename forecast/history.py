"""Several earlier dates of a picture as a condition of the network, beside the picture itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.patches import to_low

__all__ = ["CHANNELS", "History"]

CHANNELS = 4
"""Of each earlier date: three of change and one of years."""


@dataclass(frozen=True)
class History:
    """The h nearest earlier dates of b pictures, the nearest first.

    Attributes:
        pictures: `(b, h, 3, height, width)` block means on the grid of the output or finer, 0..1,
            in the tone of the present; anything where there is no date.
        years: `(b, h)` years before the present; 0 where there is no date.
    """

    pictures: Tensor
    years: Tensor

    @classmethod
    def none(cls, low: Tensor, count: int = 0) -> History:
        """No earlier date of pictures whose block means are `(b, 3, height, width)`."""
        batch = len(low)
        return cls(low.new_zeros((batch, count, *low.shape[1:])), low.new_zeros((batch, count)))

    def __getitem__(self, items: slice | Tensor) -> History:
        """Those of some of the pictures."""
        return History(self.pictures[items], self.years[items])

    def to(self, device: torch.device) -> History:
        """The same on a device."""
        return History(self.pictures.to(device), self.years.to(device))

    def repeat(self, times: int) -> History:
        """For the pictures, repeated as `Tensor.repeat` does along the first axis."""
        return History(self.pictures.repeat(times, 1, 1, 1, 1), self.years.repeat(times, 1))

    def kept(self, keep: Tensor) -> History:
        """Without the dates that `keep`, `(b, h)` bool, leaves out; later ones move up."""
        years = self.years * keep
        order = (years == 0).byte().argsort(dim=1, stable=True)
        at = order[:, :, None, None, None].expand_as(self.pictures)
        return History(self.pictures.gather(1, at), years.gather(1, order))

    def after(self, low: Tensor, years: Tensor) -> History:
        """The history of what follows: the present becomes the nearest earlier date.

        Args:
            low: Block means of the present on the same grid, `(b, 3, height, width)`.
            years: `(b,)` since then; items with 0 stay as they are.
        """
        count = self.years.shape[1]
        older = torch.where(self.years > 0, self.years + years[:, None], 0.0)
        stepped = (years > 0)[:, None]
        return History(
            torch.where(
                stepped[..., None, None, None],
                torch.cat([low[:, None], self.pictures], dim=1)[:, :count],
                self.pictures,
            ),
            torch.where(stepped, torch.cat([years[:, None], older], dim=1)[:, :count], self.years),
        )

    def channels(self, low: Tensor, count: int, *, scale: float) -> Tensor:
        """What the network sees of the `count` nearest dates.

        Args:
            low: Block means of the present on the grid of the output, `(b, 3, height, width)`.
            count: Dates the network takes; those that are missing are zeros.
            scale: Change that counts as one, in units of 0..1.

        Returns:
            `(b, 4 * count, height, width)`: for each date its difference from the present and
            the logarithm of one more than its years, all 0 where there is no date.
        """
        years = self.years[:, :count, None, None, None]
        pictures = self.pictures[:, :count]
        if pictures.shape[-2:] != low.shape[-2:]:
            finer = pictures.shape[-1] // low.shape[-1]
            means = to_low(pictures.flatten(0, 1), finer)
            pictures = means.reshape(*pictures.shape[:2], *means.shape[1:])
        change = (pictures - low[:, None]) / scale
        change = torch.where(years > 0, change, 0.0)
        ago = torch.log1p(years).expand(*change.shape[:2], 1, *low.shape[-2:])
        found = torch.cat([change, ago], dim=2).flatten(1, 2)
        return F.pad(found, (0, 0, 0, 0, 0, CHANNELS * count - found.shape[1]))
