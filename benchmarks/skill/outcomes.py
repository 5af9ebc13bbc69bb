"""What changed ground becomes from one image, beside what it became: a score of kinds of ground.

    python -m benchmarks.skill.outcomes SERIES.zarr

Patches that changed lastingly in a store of series, some starts of each place. Prints, for training
and for validation places, the energy score (Gneiting and Raftery 2007) of the colour of a patch and
the error of the mean, both over the error of saying that its colour stays: of ground within some
cells of it, all alike, and with the weights of forecasts. Places alike, patches by their cells.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial.distance import pdist, squareform

from forecast.evaluation.cases.places import place_of, places_to_score
from forecast.hindcast.past import Past
from forecast.hindcast.past_events import kinds_of
from forecast.region.analogues import AROUND, outcome_weights
from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.series import PlaceSeries, SeriesStore
from preprocessing.tiles.cells import CELL

STARTS, PATCHES, LEAST_CELLS, MOST_CELLS, MOST_BESIDE = 6, 60, 4, 100, 300
SHORTEST, LONGEST = 1.5, 10.0


@dataclass(frozen=True)
class Patch:
    """A patch that changed.

    Attributes:
        cells: How many it has.
        own: `(5,)` what kind of ground it was.
        became: `(3,)` colour that it took on.
        beside: `(n, 5)` kinds of ground within some cells of it.
    """

    cells: int
    own: NDArray[np.float32]
    became: NDArray[np.float32]
    beside: NDArray[np.float32]


def patches_of(series: PlaceSeries) -> Iterator[Patch]:
    """Some patches of some starts of a place, a middling while ahead."""
    years, dates, draw = series.years, DatedCells.of_place(series), np.random.default_rng(0)
    last = len(years) - 1
    for start in np.unique(np.linspace(0, last - 1, STARTS).round().astype(int)):
        ends = [
            e for e in range(start + 1, last + 1) if SHORTEST <= years[e] - years[start] <= LONGEST
        ]
        if not ends:
            continue
        end = ends[len(ends) // 2]
        seen = dates.in_colours_of(start)
        past = Past(seen.means / 255, seen.valid, years)
        changed, known = past.changed(start, end)
        contrast = float(past.until(start).tone().contrast[0])
        height, width = known.shape
        image = series.images[start][:, : CELL * height, : CELL * width] / np.float32(255)
        kinds = kinds_of(image, past.cells[start], contrast).reshape(height, width, 5)
        names, count = label(changed & known)
        sizes = np.bincount(names.ravel(), minlength=count + 1)
        large = 1 + np.flatnonzero(sizes[1:] >= LEAST_CELLS)
        for name in draw.permutation(large)[:PATCHES]:
            row, col = np.nonzero(names == name)
            box = tuple(slice(max(0, x.min() - AROUND), x.max() + AROUND + 1) for x in (row, col))
            beside = kinds[box][known[box]]
            yield Patch(
                min(len(row), MOST_CELLS),
                kinds[row, col].mean(axis=0),
                past.cells[end][:, row, col].mean(axis=1) / contrast,
                draw.permutation(beside)[:MOST_BESIDE],
            )


def scores(patch: Patch, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy score and error of the mean."""
    share, colours = weights / weights.sum(), patch.beside[:, :3].astype(np.float64)
    apart = np.linalg.norm(colours - patch.became, axis=1)
    spread = share @ squareform(pdist(colours)) @ share
    return np.array([share @ apart - spread / 2, np.linalg.norm(share @ colours - patch.became)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", metavar="SERIES.zarr")
    store = SeriesStore.open(parser.parse_args().store)
    print("| places | ground beside it: energy score, error of the mean | with weights |")
    print("|---|---|---|")
    for split in ("train", "val"):
        found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
        for name in places_to_score(store, splits=(split,), parts=4):
            if store.labels[name].dataset != "worlds":
                for patch in patches_of(store.place(name)):
                    alike, weighted = (
                        scores(patch, np.asarray(weights, np.float64))
                        for weights in (
                            np.ones(len(patch.beside)),
                            outcome_weights(patch.beside, patch.own),
                        )
                    )
                    stays = np.linalg.norm(patch.own[:3] - patch.became)
                    found[place_of(name)].append(patch.cells * np.array([*alike, *weighted, stays]))
        sums = np.array([np.sum(values, axis=0) for values in found.values()])
        one, two, three, four = (sums[:, :4] / sums[:, 4:]).mean(axis=0)
        print(
            f"| {split} ({len(sums)}) | {one:.3f}, {two:.3f} | {three:.3f}, {four:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
