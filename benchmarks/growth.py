"""Does a forecast expect more where growth was faster? The same present with two pasts.

    python -m benchmarks.growth [--worlds 6] [--size 256]

A world of steady growth is seen every year, and, as if it were every year, every other year: the
present is the same, and what grew so far, and will grow, twice as much. Both are forecast four
dates ahead from nine; the share of ground that is expected to change stands beside the share that
is newly built up.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from app.place_forecaster import place_forecaster
from benchmarks.world_cases import world_case
from forecast.evaluation.case import SeriesCase
from preprocessing.simulator import World, WorldConfig, simulate_world

_SEED = 70_000
_BEFORE, _AHEAD, _AFTER, _MEMBERS = 8, 4, 3, 2
_FAST = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="pixels along a world")
    parser.add_argument("--model", help="shipped name or folder")
    options = parser.parse_args()
    forecaster = place_forecaster(options.model, members=_MEMBERS, seed=1)
    print("| world | slow: built up | expected | fast: built up | expected |")
    print("|---" * 5 + "|")
    found = []
    start = _FAST * _BEFORE
    for seed in range(_SEED, _SEED + options.worlds):
        years = start + _FAST * (_AHEAD + _AFTER) + 1
        side = options.size
        world = simulate_world(WorldConfig(side, side, years, seed=seed, landscape="suburbs"))
        row = []
        for step in (1, _FAST):
            case = _seen_every(world, step, start)
            forecasts = forecaster(case.past)
            for _ in range(_AHEAD):
                year = next(forecasts)
            row += [case.event[case.known].mean(), year.probability[case.known].mean()]
        found.append(row)
        print(f"| {seed} | {' | '.join(f'{100 * share:.1f} %' for share in row)} |", flush=True)
    slow, told_slow, fast, told_fast = np.mean(found, axis=0)
    print(f"expected over true difference: {(told_fast - told_slow) / (fast - slow):.2f}")


def _seen_every(world: World, step: int, start: int) -> SeriesCase:
    """Every so many of the scenes around the present, dated as if they were all there are."""
    every = range(start - _BEFORE * step, start + (_AHEAD + _AFTER) * step + 1, step)
    dates = [world.rasters[number].date for number in range(len(every))]
    rasters = tuple(
        replace(world.rasters[number], date=date) for number, date in zip(every, dates, strict=True)
    )
    covers = tuple(world.covers[number] for number in every)
    seen = replace(world, rasters=rasters, covers=covers)
    return world_case(seen, start=_BEFORE, target=_BEFORE + _AHEAD)


if __name__ == "__main__":
    main()
