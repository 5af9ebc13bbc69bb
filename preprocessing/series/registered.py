"""All dates of a place onto the grid of one of them: which one, and how far each is moved."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from preprocessing.errors import (
    GridMismatchError,
    MissingFileError,
    NoOverlapError,
    NoValidPixelsError,
    RegistrationError,
    RequestError,
    UnreadableRasterError,
)
from preprocessing.preparation.manifest import ManifestImage
from preprocessing.preparation.unseen_ground import why_nothing
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.image_source import ImageSource, hold
from preprocessing.registration.alignment import lay_over
from preprocessing.registration.common_grid import common_grid
from preprocessing.registration.registration import register
from preprocessing.registration.shift import NOT_MOVED, Shift
from preprocessing.registration.shift_field import ShiftField
from preprocessing.series.config import SeriesConfig
from preprocessing.tiles.cells import CELL

__all__ = ["PlacePlan", "RegisteredDate", "plan_place"]

_UNFIT = (
    GridMismatchError,
    MissingFileError,
    NoOverlapError,
    NoValidPixelsError,
    RegistrationError,
    UnreadableRasterError,
)
"""What is wrong with one date and not with the request."""

Open = Callable[[ManifestImage], ImageSource]


@dataclass(frozen=True)
class RegisteredDate:
    """How one date is laid over the reference.

    Attributes:
        image: The date.
        shift: The shift to remove, with its score; NaN where it was not looked for.
        field: Local shifts to remove too, or None.
        residual_px: Shift that is left, measured again; NaN where it cannot be measured.
    """

    image: ManifestImage
    shift: Shift = NOT_MOVED
    field: ShiftField | None = None
    residual_px: float = math.nan


@dataclass(frozen=True)
class PlacePlan:
    """Which dates of a place are kept, and where they lie.

    Attributes:
        reference: The date that fixes the grid; it is not resampled unless `gsd_m` asks for it.
        grid: Its grid, cut to whole cells.
        dates: Kept dates, rising; the reference is one of them.
        dropped: Dates of which nothing can be made, and why.
    """

    reference: ManifestImage
    grid: Grid
    dates: tuple[RegisteredDate, ...]
    dropped: tuple[tuple[dt.date, str], ...]

    def laid(self, date: RegisteredDate, open_image: Open) -> ImageSource:
        """The image of a date on the grid, resampled once."""
        image = open_image(date.image)
        reference = image if date.image is self.reference else open_image(self.reference)
        warped = lay_over(reference, image, self.grid)[1]
        return hold(replace(warped, shift=date.shift, field=date.field))


def plan_place(
    images: Sequence[ManifestImage], open_image: Open, config: SeriesConfig
) -> PlacePlan:
    """Choose the reference of a place and register every date to it.

    The reference is the last date, the present; if that fits fewer than half of the others (it is
    clouded, or shows something else), the date that fits the most.

    Raises:
        NoValidPixelsError: No date can be used.
        RequestError: The files cannot be understood as asked: see `RasterSource.open`.
    """
    rising = sorted(images, key=lambda image: image.date)
    single = [image for i, image in enumerate(rising) if i == 0 or image.date != rising[i - 1].date]
    doubles = tuple(
        (image.date, f"another image of this date is there already, {image.path} was not used")
        for image in rising
        if image not in single
    )
    best: PlacePlan | None = None
    unfit: dict[dt.date, str] = {}
    for reference in reversed(single):
        try:
            plan = _around(reference, single, open_image, config)
        except _UNFIT as err:
            unfit[reference.date] = str(err)
            continue
        if best is None or len(plan.dates) > len(best.dates):
            best = plan
        if 2 * (len(plan.dates) - 1) >= len(single) - 1 - len(unfit):
            break
    if best is None:
        raise NoValidPixelsError(
            f"expected a usable image of {images[0].dataset}/{images[0].place}, none of "
            f"{len(single)} is: {next(iter(unfit.values()))}"
        )
    return replace(best, dropped=tuple(sorted((*best.dropped, *doubles))))


def _around(
    reference: ManifestImage,
    images: Sequence[ManifestImage],
    open_image: Open,
    config: SeriesConfig,
) -> PlacePlan:
    """The plan with one date as reference."""
    base = open_image(reference)
    grid = _whole_cells(base, reference, config)
    first = hold(lay_over(base, base, grid)[0])
    why = why_nothing(base, base, first, first)
    if why is not None:
        raise why
    dates, dropped = [], []
    for image in images:
        if image is reference:
            dates.append(RegisteredDate(image))
            continue
        try:
            dates.append(_registered(image, open_image(image), base, first, grid, config))
        except _UNFIT as err:
            dropped.append((image.date, str(err)))
    return PlacePlan(reference, grid, tuple(dates), tuple(dropped))


def _registered(
    image: ManifestImage,
    source: ImageSource,
    base: ImageSource,
    first: ImageSource,
    grid: Grid,
    config: SeriesConfig,
) -> RegisteredDate:
    common_grid(base, source)
    moving = lay_over(base, source, grid)[1]
    why: RequestError | None = why_nothing(base, source, first, moving)
    if why is not None:
        raise why
    if not config.coregister:
        return RegisteredDate(image, replace(NOT_MOVED, score=math.nan))
    found = register(
        first,
        moving,
        max_shift_px=config.max_shift_px,
        max_residual_px=config.max_residual_px,
        refine=config.refine,
    )
    field = None if found.refinement is None else found.refinement.field
    return RegisteredDate(image, found.shift, field, found.residual_px)


def _whole_cells(base: ImageSource, reference: ManifestImage, config: SeriesConfig) -> Grid:
    """The reference's grid at the wanted resolution; rows and columns over whole cells are cut."""
    grid = common_grid(base, base, gsd_m=config.gsd_m, stated_gsd_m=reference.gsd_m)
    height, width = (size // CELL * CELL for size in grid.shape)
    if min(height, width) < CELL:
        raise NoValidPixelsError(
            f"expected at least {CELL} x {CELL} pixels, {base.name} has {grid.height} x "
            f"{grid.width}; use larger images"
        )
    return grid.crop(Window(0, 0, height, width))
