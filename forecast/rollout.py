"""Year after year: each forecast is the next year's present."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.region import EarlierImage, RegionStepper, StepKey, Tick

__all__ = ["rollout"]


def rollout(
    stepper: RegionStepper,
    start: NDArray[np.float32],
    scratch: Path,
    *,
    seed: int,
    member: int,
    start_year: int,
    years: int,
    history: Sequence[EarlierImage] = (),
    tick: Tick | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield `(calendar year, image)` for one member, from the first year not yet done.

    Each year is made from a state, in which only what lasts has changed (`forecast.fluctuation`),
    so fluctuations of single years neither add up nor wear detail down. Images and states live
    in `scratch` as memory maps; the last ones are kept until their successors are complete, so a
    rollout that was killed goes on from there. An image is valid until the next one is asked for.
    A model that takes earlier dates sees each state as the nearest one of the year after it, and
    as many states before the last are kept as it takes.

    Args:
        stepper: Carries an image one year ahead.
        start: `(3, height, width)` image of `start_year`.
        scratch: Folder for this member's states.
        seed: Seed of the run.
        member: Number of the member; its noise depends on nothing else.
        start_year: Calendar year of `start`.
        years: Years to forecast.
        history: Earlier dates of `start`, the nearest first.
        tick: Called after each batch of work.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    state, first = start, start_year + 1
    for year in range(start_year + years, start_year, -1):
        if _image(scratch, year).exists():
            state, first = np.load(_state(scratch, year), mmap_mode="r"), year + 1
            yield year, np.load(_image(scratch, year), mmap_mode="r")
            break
    colours = stepper.colours(start)
    for year in range(first, start_year + years + 1):
        parts = [scratch / f".{year}.{name}.part.npy" for name in ("image", "state")]
        image, carried = (
            np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=start.shape)
            for part in parts
        )
        earlier = _earlier(scratch, start, start_year, year - 1, stepper.history)
        earlier += [replace(e, years=e.years + year - 1 - start_year) for e in history]
        stepper.step(
            state,
            image,
            StepKey(seed, member, year),
            history=earlier,
            carried=carried,
            colours=colours,
            tick=tick,
        )
        image.flush()
        carried.flush()
        # A year is done when its image is there, and its state is there by then.
        os.replace(parts[1], _state(scratch, year))
        os.replace(parts[0], _image(scratch, year))
        _image(scratch, year - 1).unlink(missing_ok=True)
        _state(scratch, year - 1 - stepper.history).unlink(missing_ok=True)
        state = carried
        yield year, image


def _earlier(
    scratch: Path, start: NDArray[np.float32], start_year: int, year: int, count: int
) -> list[EarlierImage]:
    """The states of at most `count` years of this rollout before `year`, the nearest first."""
    return [
        EarlierImage(
            start if y == start_year else np.load(_state(scratch, y), mmap_mode="r"),
            float(year - y),
        )
        for y in range(year - 1, max(start_year, year - count) - 1, -1)
    ]


def _image(scratch: Path, year: int) -> Path:
    return scratch / f"image_{year}.npy"


def _state(scratch: Path, year: int) -> Path:
    return scratch / f"state_{year}.npy"
