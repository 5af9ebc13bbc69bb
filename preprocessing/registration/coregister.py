"""The sub-pixel translation between two images of one place, from a bounded number of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from preprocessing.errors import GridMismatchError, RegistrationError
from preprocessing.rasters.grid import Window
from preprocessing.rasters.image_source import HeldImage, ImageSource, SameGridImage
from preprocessing.rasters.raster import Raster
from preprocessing.registration.edge_correlation import EdgeCorrelation, Spectra
from preprocessing.registration.shift import (
    NOT_MOVED,
    RELIABLE_SCORE,
    Shift,
    ShiftedImage,
    apply_shift,
)
from preprocessing.tiles.tiling import plan_tiles

__all__ = [
    "REFUSED_SCORE",
    "RELIABLE_SCORE",
    "Shift",
    "ShiftEstimator",
    "apply_shift",
    "estimate_shift",
]

REFUSED_SCORE = 3.5
"""Below, the images match no better than images of different places do."""

_BLOCK_PX = 512
_MOST_BLOCKS = 12
_ALIKE_PX = 0.1
_MOST_READ = 4 * _MOST_BLOCKS

_NOTHING = Shift(0.0, 0.0, 0.0)


def estimate_shift(
    reference: Raster | ImageSource,
    moving: Raster | ImageSource,
) -> Shift:
    """Estimate the translation that lays `moving` over `reference`; see `ShiftEstimator`.

    Args:
        reference: Raster of shape `(c, h, w)`, or an image to be read by windows; fixes the grid.
        moving: The same for the other date, of the same height and width. Invalid pixels of
            either are ignored.

    Returns:
        The shift. Images without texture (open water, snow) give `Shift(0, 0, 0)`: nothing to
        measure and nothing to repair.

    Raises:
        GridMismatchError: The sizes differ.
        RegistrationError: Both images have texture, but no shift lays one over the other.
    """
    return ShiftEstimator(reference).estimate(moving)


class ShiftEstimator:
    """Estimates the translations that lay images over one reference.

    Phase correlation of edge directions (Fitch et al. 2002), divided by the correlation of the
    valid pixels (Padfield 2012), summed over at most 12 blocks of at most 512 px spread over the
    region: neither memory nor time grow with it. A second pass after removing the first result
    halves the error of shifts above 0.1 px: images that already lie alike are sampled alike.

    The reference is looked at once, however many images are laid over it.

    Args:
        reference: As for `estimate_shift`.
        max_shift_px: Longest shift along an axis that is looked for.
    """

    def __init__(self, reference: Raster | ImageSource, *, max_shift_px: float = 12.0) -> None:
        self._first = HeldImage(reference) if isinstance(reference, Raster) else reference
        self._max_shift_px = max_shift_px
        height, width = self._first.grid.shape
        self._size = min(_BLOCK_PX, height, width)
        self._reach = min(math.ceil(max_shift_px), min(height, width) // 2 - 1)
        self._windows = _in_turn(plan_tiles(height, width, size=self._size, stride=self._size))
        self._seen: dict[Window, Spectra] = {}

    def estimate(self, moving: Raster | ImageSource) -> Shift:
        """The shift of one image; see `estimate_shift` for the errors.

        Args:
            moving: As for `estimate_shift`.
        """
        first = self._first
        second = HeldImage(moving) if isinstance(moving, Raster) else moving
        shape = first.grid.shape
        if shape != second.grid.shape:
            raise GridMismatchError(
                f"expected {second.name} on the grid of {first.name} {shape}, "
                f"got {second.grid.shape}; align the two first"
            )
        found = self._one_pass(second, NOT_MOVED)
        if found.score < REFUSED_SCORE and found != _NOTHING:
            raise RegistrationError(
                f"expected {second.name} to show the same ground as {first.name}, no shift within "
                f"{self._max_shift_px:g} px lays one over the other (score {found.score:.1f}, "
                f"needed {REFUSED_SCORE:g}); check that both files show the same place and "
                "that their georeference is right"
            )
        if not found.reliable or found.length_px <= _ALIKE_PX:
            return found
        rest = self._one_pass(second, found)
        if not rest.reliable or rest.length_px > 1:
            return found
        return Shift(found.dy_px + rest.dy_px, found.dx_px + rest.dx_px, found.score)

    def _one_pass(self, second: ImageSource, shift: Shift) -> Shift:
        """What is left of the shift after `shift`; never refuses."""
        moved = ShiftedImage(_GreyImage(second), shift)
        correlation = EdgeCorrelation(self._size, self._reach)
        for window in self._windows:
            here = self._seen.get(window) or correlation.spectra(self._first.read(window))
            if here is None:
                continue
            if correlation.add_spectra(here, correlation.spectra(moved.read(window))):
                self._seen[window] = here  # At most 12 a pass, mostly the same ones.
            if correlation.blocks == _MOST_BLOCKS:
                break
        return correlation.best()


@dataclass(frozen=True)
class _GreyImage(SameGridImage):
    """An image with its channels averaged: moving one is quicker than moving three."""

    source: ImageSource

    def read(self, window: Window, /) -> Raster:
        raster = self.source.read(window)
        return replace(raster, data=raster.data.mean(axis=0, keepdims=True))


def _in_turn(windows: list[Window]) -> list[Window]:
    """Windows to read: a spread of the usual number first, then more where those show nothing."""
    spread = _spread(windows, _MOST_READ)
    if len(spread) <= _MOST_BLOCKS:
        return spread
    first = _spread(spread, _MOST_BLOCKS)
    chosen = set(first)
    return first + [window for window in spread if window not in chosen]


def _spread(items: list[Window], most: int) -> list[Window]:
    """At most `most` items, evenly spread over the list."""
    if len(items) <= most:
        return items
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
