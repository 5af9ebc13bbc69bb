"""The cells of all dates of a place in the colours of one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.colour_transform import ColourMap
from preprocessing.tiles.cells import cell_means, cells_valid

__all__ = ["DatedCells", "DatedImages", "texture_of_cells"]


class DatedImages(Protocol):
    """A place with images of several dates (`preprocessing.series.PlaceSeries` is one).

    Attributes:
        years: `(d,)` decimal years, ascending.
        images: `(d, 3, H, W)` uint8, registered, in their own colours.
        valid: `(d, H, W)` bool.
    """

    @property
    def years(self) -> NDArray[np.float64]:
        """`(d,)`."""
        ...

    @property
    def images(self) -> NDArray[np.uint8]:
        """`(d, 3, H, W)`."""
        ...

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`(d, H, W)`."""
        ...


@dataclass(frozen=True)
class DatedCells:
    """Cells of 4 x 4 px of several dates.

    Attributes:
        means: `(d, 3, h, w)` float32 grey levels of 255.
        texture: `(d, h, w)` float32, standard deviation within the cell, in grey levels.
        valid: `(d, h, w)` bool.
    """

    means: NDArray[np.float32]
    texture: NDArray[np.float32]
    valid: NDArray[np.bool_]

    @classmethod
    def of_place(cls, place: DatedImages) -> DatedCells:
        """All dates of a place, each in its own colours."""
        return cls(
            np.stack([cell_means(image) for image in place.images]),
            np.stack([texture_of_cells(image) for image in place.images]),
            np.stack([cells_valid(valid) for valid in place.valid]),
        )

    def of(self, dates: Iterable[int]) -> DatedCells:
        """Some of the dates, by their indices."""
        chosen = list(dates)
        return DatedCells(self.means[chosen], self.texture[chosen], self.valid[chosen])

    def in_colours_of(self, reference: int) -> DatedCells:
        """All dates in the colours of one of them (`ColourMap`); textures in proportion.

        A date that shares too few cells with the reference for a map of colours is invalid.
        """
        means, texture, valid = self.means.copy(), self.texture.copy(), self.valid.copy()
        target, target_valid = means[reference], valid[reference]
        for date in range(len(means)):
            if date == reference:
                continue
            shared = valid[date] & target_valid
            try:
                found = ColourMap.fit(means[date], target, shared)
            except NoValidPixelsError:
                valid[date] = False
                continue
            means[date] = found.apply(self.means[date])
            own, mapped = self.means[date][:, shared], means[date][:, shared]
            texture[date] *= _spread(mapped) / _spread(own)
        return DatedCells(means, texture, valid)


def texture_of_cells(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Standard deviation within cells, root mean square over bands: `(3, h, w)` to `(h/4, w/4)`."""
    centred = image.astype(np.float32) - 128
    variance = cell_means(centred**2) - cell_means(centred) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0.0).mean(axis=0)), np.float32)


def _spread(colours: NDArray[np.float32]) -> float:
    """Standard deviation of colours `(3, n)`, root mean square over bands."""
    return float(np.sqrt(colours.var(axis=1).mean())) + 1e-3
