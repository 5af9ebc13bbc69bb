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
    def shape(self) -> tuple[int, int]:
        """Rows and columns, as arrays have them."""
        return (self.height, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices, for arrays whose last two axes are `(h, w)`."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )

    def grown(self, margin: int) -> Window:
        """The window with so many pixels more on each side."""
        side = 2 * margin
        return Window(self.row - margin, self.col - margin, self.height + side, self.width + side)

    def within(self, outer: Window) -> Window:
        """The same pixels, counted from the corner of another window."""
        return Window(self.row - outer.row, self.col - outer.col, self.height, self.width)
