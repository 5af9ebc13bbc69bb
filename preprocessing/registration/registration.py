"""Laying the later image over the earlier one: one shift, a field of shifts, or a refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from preprocessing.errors import RegistrationError
from preprocessing.rasters.image_source import ImageSource, hold
from preprocessing.registration.coregister import ShiftEstimator
from preprocessing.registration.local_shift import Refinement, refine_shifts
from preprocessing.registration.shift import NOT_MOVED, Shift
from preprocessing.registration.warped import WarpedImage

__all__ = ["Registration", "register"]

_LEAST_SHIFT_PX = 0.1


@dataclass(frozen=True)
class Registration:
    """How the later image was laid over the earlier one.

    Attributes:
        image: The later image, moved; resampled once.
        shift: The shift that was removed, with the score of its first estimate; a score below
            `RELIABLE_SCORE` means that nothing could be measured and nothing was moved.
        residual_px: Shift that is left, measured again; NaN where it cannot be measured.
        refinement: What the local refinement did, if it was asked for and could measure.
    """

    image: ImageSource
    shift: Shift
    residual_px: float
    refinement: Refinement | None = None


def register(
    first: ImageSource,
    later: WarpedImage,
    *,
    max_shift_px: float = 12.0,
    max_residual_px: float = 0.5,
    refine: bool = False,
) -> Registration:
    """Estimate the shift between two images on one grid, remove it, and measure what is left.

    Args:
        first: The earlier image.
        later: The later image on the same grid.
        max_shift_px: Longest shift that is looked for.
        max_residual_px: Refused if a longer shift is left after the best has been removed.
        refine: Remove a smooth field of shifts after the common one, if that brings a gain.

    Raises:
        RegistrationError: The images do not show the same ground, or do not fit by one shift (and
            one field).
    """
    estimator = ShiftEstimator(first, max_shift_px=max_shift_px)
    found = estimator.estimate(hold(later))
    if not found.reliable:
        return Registration(hold(later), replace(NOT_MOVED, score=found.score), math.nan)
    best, candidate, left = later, found, found
    for _ in range(2):
        if left.length_px <= _LEAST_SHIFT_PX:
            break
        moved = replace(later, shift=candidate)
        try:
            rest = estimator.estimate(hold(moved))
        except RegistrationError:
            break
        if rest.reliable and rest.length_px < left.length_px:
            best, left = moved, rest
        candidate = Shift(candidate.dy_px + rest.dy_px, candidate.dx_px + rest.dx_px)
    refinement = None
    if refine:
        refinement = refine_shifts(first, best)
        if refinement is not None and refinement.field is not None:
            best = replace(best, field=refinement.field)
            left = estimator.estimate(hold(best))
    if left.length_px > max_residual_px:
        raise RegistrationError(
            f"expected one shift that lays {later.name} over {first.name}, {left.length_px:.1f} "
            f"px are left after the best (allowed: {max_residual_px:g}): parts of the image "
            "move differently, as leaning towers do; use other dates, refine locally or allow more"
        )
    return Registration(
        hold(best), replace(best.shift, score=found.score), left.length_px, refinement
    )
