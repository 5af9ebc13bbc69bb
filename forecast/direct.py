"""Each year in one step from the start, nothing fed back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.region import EarlierImage, RegionStepper, StepKey, Tick

__all__ = ["direct_forecasts"]


def direct_forecasts(
    stepper: RegionStepper,
    start: NDArray[np.float32],
    scratch: Path,
    *,
    seed: int,
    member: int,
    start_year: int,
    years: Sequence[int],
    history: Sequence[EarlierImage] = (),
    tick: Tick | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield `(calendar year, image)` for one member.

    All years of a member have the same noise, so what changes goes further with the years. What
    a year shows does not follow from the year before, as in `forecast.rollout.rollout`.

    Args:
        stepper: Carries an image some years ahead.
        start: `(3, height, width)` image of `start_year`.
        scratch: Folder for the image, a memory map that is valid until the next one is asked for.
        seed: Seed of the run.
        member: Number of the member; its noise depends on nothing else.
        start_year: Calendar year of `start`.
        years: Calendar years to forecast, after `start_year`.
        history: Earlier dates of `start`, the nearest first.
        tick: Called after each batch of work.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    image = np.lib.format.open_memmap(
        scratch / "image.npy", mode="w+", dtype=np.float32, shape=start.shape
    )
    colours = stepper.colours(start)
    for year in years:
        stepper.step(
            start,
            image,
            StepKey(seed, member, start_year),
            years=year - start_year,
            history=history,
            colours=colours,
            tick=tick,
        )
        yield year, image
