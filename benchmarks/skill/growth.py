"""Does a forecast expect more where growth was faster? The same present with two pasts.

    python -m benchmarks.skill.growth [--landscape city] [--climate desert]

A world of steady growth is seen every year, and, as if it were every year, every other year: the
present is the same, and what grew so far, and will grow, twice as much. Both are forecast four
dates ahead from nine; the share of ground that is expected to change stands beside the share that
is newly built up, and the share that looks as it never did before (`changed_lastingly`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.forecasts.place_forecaster import place_forecaster
from benchmarks.skill.world_cases import world_case
from forecast.hindcast.past import Past
from preprocessing.simulator import World, WorldConfig, simulate_world
from preprocessing.tiles.cells import cell_means

_SEED = 70_000
_BEFORE, _AHEAD, _AFTER, _MEMBERS = 8, 4, 3, 2
_FAST = 2
_COLUMNS = ("built up", "changed", "expected")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=6)
    parser.add_argument("--size", type=int, default=256, help="pixels along a world")
    parser.add_argument("--landscape", default="city")
    parser.add_argument("--climate", default="desert")
    parser.add_argument("--model", help="shipped name or folder")
    options = parser.parse_args()
    forecaster = place_forecaster(options.model, members=_MEMBERS, seed=1)
    titles = [f"{pace}: {what}" for pace in ("slow", "fast") for what in _COLUMNS]
    print(f"| world | {' | '.join(titles)} |")
    print("|---" * (1 + len(titles)) + "|")
    found = []
    start = _FAST * _BEFORE
    for seed in range(_SEED, _SEED + options.worlds):
        years = start + _FAST * (_AHEAD + _AFTER) + 1
        side = options.size
        config = WorldConfig(
            side,
            side,
            years,
            seed=seed,
            landscape=options.landscape,
            climate=options.climate,
        )
        world = simulate_world(config)
        row = []
        for step in (1, _FAST):
            seen = _seen_every(world, step, start)
            case = world_case(seen, start=_BEFORE, target=_BEFORE + _AHEAD)
            forecasts = forecaster(case.past)
            for _ in range(_AHEAD):
                year = next(forecasts)
            shares = case.event, _changed(seen), year.probability
            row += [float(share[case.known].mean()) for share in shares]
        found.append(row)
        print(f"| {seed} | {' | '.join(f'{100 * share:.1f} %' for share in row)} |", flush=True)
    more = np.mean(found, axis=0)[len(_COLUMNS) :] - np.mean(found, axis=0)[: len(_COLUMNS)]
    print(
        f"difference expected over that built up {more[2] / more[0]:.2f}, "
        f"over that changed {more[2] / more[1]:.2f}"
    )


def _seen_every(world: World, step: int, start: int) -> World:
    """Every so many of the scenes around the present, dated as if they were all there are."""
    every = range(start - _BEFORE * step, start + (_AHEAD + _AFTER) * step + 1, step)
    dates = [world.rasters[number].date for number in range(len(every))]
    rasters = tuple(
        replace(world.rasters[number], date=date) for number, date in zip(every, dates, strict=True)
    )
    covers = tuple(world.covers[number] for number in every)
    return replace(world, rasters=rasters, covers=covers)


def _changed(world: World) -> NDArray[np.bool_]:
    """Cells that changed lastingly by the plain rule."""
    cells = np.stack([cell_means(raster.data) for raster in world.rasters])
    known = np.ones((len(cells), *cells.shape[2:]), bool)
    past = Past(cells, known, np.arange(len(cells), dtype=float))
    return past.changed(_BEFORE, _BEFORE + _AHEAD)[0]


if __name__ == "__main__":
    main()
