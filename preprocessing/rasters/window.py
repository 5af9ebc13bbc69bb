"""A rectangle of pixels or cells; needs no GDAL."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Window"]


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels; `row` and `col` may lie outside the raster for padded reads."""

    row: int
    col: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for arrays whose last two axes are `(h, w)`."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )
