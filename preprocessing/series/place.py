"""All dates of one place on one grid, and the same in the colours of one of its dates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from preprocessing.radiometry.colour_chain import colour_chain
from preprocessing.radiometry.colour_transport import ColourTransport
from preprocessing.tiles.cells import CELL, cell_means, cells_valid

__all__ = ["PlaceSeries"]


@dataclass(frozen=True, eq=False)
class PlaceSeries:
    """The dated images of a place, registered to one of them.

    Attributes:
        name: Name of the place.
        dataset: Collection it belongs to.
        split: `train`, `val` or `test`.
        gsd_m: Metres per pixel, NaN where unknown.
        years: `(d,)` float64, rising: 2016.5 is the middle of 2016.
        images: `(d, 3, h, w)` uint8, each date in its own colours; red, green, blue where the data
            have them. 0 where not valid.
        valid: `(d, h, w)` bool, True where a date was observed. `h` and `w` are whole cells.
    """

    name: str
    dataset: str
    split: str
    gsd_m: float
    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: NDArray[np.bool_]

    def __post_init__(self) -> None:
        count, (height, width) = len(self.years), self.valid.shape[-2:]
        if self.images.shape != (count, 3, height, width) or self.valid.shape[:1] != (count,):
            raise ValueError(
                f"{self.name}: expected images (d, 3, h, w) and valid (d, h, w) for {count} dates, "
                f"got {self.images.shape} and {self.valid.shape}"
            )
        if height % CELL or width % CELL:
            raise ValueError(
                f"{self.name}: expected whole cells of {CELL} px, got {height} x {width} px"
            )
        if (np.diff(self.years) <= 0).any():
            raise ValueError(f"{self.name}: expected rising years, got {self.years.tolist()}")

    def __len__(self) -> int:
        return len(self.years)

    def cells(self) -> NDArray[np.float32]:
        """Means over cells in grey levels of 255, `(d, 3, h // 4, w // 4)`."""
        return cell_means(self.images)

    def cells_valid(self) -> NDArray[np.bool_]:
        """Cells all of whose pixels a date shows, `(d, h // 4, w // 4)`."""
        return cells_valid(self.valid)

    def at(self, index: NDArray[np.intp] | slice | list[int]) -> PlaceSeries:
        """The series of some of its dates."""
        return replace(
            self, years=self.years[index], images=self.images[index], valid=self.valid[index]
        )

    def colour_maps(self, index: int) -> tuple[ColourTransport | None, ...]:
        """What gives each date the colours of date `index`; see `colour_chain`.

        Args:
            index: Position among the dates; negative ones count from the end.

        Returns:
            One a date; the identity for `index` itself, None where too little ground is shared for
            a map to be found.
        """
        return colour_chain(self.cells(), self.cells_valid(), index)

    def in_colours_of(self, index: int) -> PlaceSeries:
        """The series with light, season and sensor of all dates as at one of them.

        Ground that changed keeps its difference, see `ColourTransport`. A date whose map cannot be
        found is wholly invalid in the result.

        Args:
            index: See `colour_maps`.
        """
        images, valid = self.images.copy(), self.valid.copy()
        index = range(len(self))[index]
        for date, colours in enumerate(self.colour_maps(index)):
            if colours is None:
                images[date], valid[date] = 0, False
            elif date != index:
                mapped = np.clip(np.rint(colours.apply(images[date])), 0, 255)
                images[date] = np.where(valid[date], mapped, 0)
        return replace(self, images=images, valid=valid)

    def cells_in_colours_of(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Cells of all dates in the colours of one, not rounded and not clipped.

        Args:
            index: See `colour_maps`.

        Returns:
            Means `(d, 3, h // 4, w // 4)` in grey levels, and where they are valid,
            `(d, h // 4, w // 4)`.
        """
        cells, valid = self.cells(), self.cells_valid()
        for date, colours in enumerate(self.colour_maps(index)):
            if colours is None:
                valid[date] = False
            else:
                cells[date] = colours.apply(cells[date])
        return cells, valid
