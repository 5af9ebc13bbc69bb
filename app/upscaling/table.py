"""Means of the tiles' scores with intervals, and differences of methods on the same tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation.scores.bootstrap import RESAMPLES, draw_units, estimate
from preprocessing.quality.scores import Estimate
from sr.evaluation.restorers import BICUBIC, CONSISTENT, LANCZOS, NETWORK, PERSISTENCE
from sr.evaluation.tile_scores import SCORES, TileScores

__all__ = ["COMPARISONS", "Comparison", "ScoredTiles", "Section", "sections"]

Array = NDArray[np.float64]

COMPARISONS = (
    (NETWORK, BICUBIC),
    (NETWORK, LANCZOS),
    (CONSISTENT, NETWORK),
    (NETWORK, PERSISTENCE),
)
"""What is compared with what."""

ALL = "all"


@dataclass
class ScoredTiles:
    """Scores of all tiles, method by method; batches are appended.

    Attributes:
        dataset: Of each tile.
        unit: What the bootstrap draws as a whole.
        scores: By method, a batch each.
    """

    dataset: list[str] = field(default_factory=list)
    unit: list[str] = field(default_factory=list)
    scores: dict[str, list[TileScores]] = field(default_factory=dict)

    def add(
        self, dataset: Sequence[str], unit: Sequence[str], found: Mapping[str, TileScores]
    ) -> None:
        """Append a batch that every method restored."""
        self.dataset += dataset
        self.unit += unit
        for method, scores in found.items():
            self.scores.setdefault(method, []).append(scores)

    def column(self, method: str, name: str) -> tuple[Array, Array]:
        """Values and weights of one score, `(tiles,)` each; values without weight are 0."""
        values = np.concatenate([part.values[name] for part in self.scores[method]])
        weights = np.concatenate([part.weights[name] for part in self.scores[method]])
        return np.where(weights > 0, values, 0.0), weights

    def spectrum(self, method: str, chosen: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Mean log power of a method and of the truth over some tiles."""
        parts = self.scores[method]
        ours, truth = (
            np.concatenate([getattr(part, name) for part in parts])[chosen].mean(axis=0)
            for name in ("power_db", "truth_power_db")
        )
        return ours, truth


@dataclass(frozen=True)
class Comparison:
    """One method minus another, on the same tiles and resamples.

    Attributes:
        ours: The method that is tested.
        against: The other one.
        difference: By score; NaN bounds where there are too few units.
    """

    ours: str
    against: str
    difference: Mapping[str, Estimate]

    def verdict(self, name: str) -> str:
        """`better` or `worse` where the interval of the difference excludes zero, else empty."""
        return SCORES[name].verdict(self.difference[name])


@dataclass(frozen=True)
class Section:
    """One dataset, or all.

    Attributes:
        dataset: Its name, or `all`.
        tiles: Tiles scored.
        units: Places or blocks they belong to.
        scores: By method and score.
        comparisons: See `COMPARISONS`.
        spectra: By method, log power minus the truth's by cycles a tile.
    """

    dataset: str
    tiles: int
    units: int
    scores: Mapping[str, Mapping[str, Estimate]]
    comparisons: tuple[Comparison, ...]
    spectra: Mapping[str, Array]


def sections(tiles: ScoredTiles, *, seed: int, resamples: int = RESAMPLES) -> list[Section]:
    """Scores of each dataset, then of all where there are several.

    Places or blocks are drawn again within each dataset, with the same draws for all methods.

    Args:
        tiles: What was scored.
        seed: Of the bootstrap.
        resamples: Resamples.
    """
    dataset, unit = np.array(tiles.dataset), np.array(tiles.unit)
    names = [str(name) for name in np.unique(dataset)]
    draws = {
        name: draw_units(
            len(np.unique(unit[dataset == name])), seed=seed, name=name, resamples=resamples
        )
        for name in names
    }
    groups = [[name] for name in names] + ([names] if len(names) > 1 else [])
    return [_section(tiles, group, dataset, unit, draws) for group in groups]


def _section(
    tiles: ScoredTiles,
    names: Sequence[str],
    dataset: NDArray[Any],
    unit: NDArray[Any],
    draws: Mapping[str, Array],
) -> Section:
    chosen = np.isin(dataset, names)
    units = {name: np.unique(unit[dataset == name], return_inverse=True) for name in names}

    def values(method: str, name: str) -> Array:
        """The score of all tiles, then of each resample."""
        value, weight = tiles.column(method, name)
        over = SCORES[name].over
        if over == "worst":
            return np.array([value[chosen].max()])
        sums = []
        for part in names:
            inside, number = dataset == part, units[part][1]
            table = np.stack(
                [np.bincount(number, x[inside]) for x in (value * weight, weight)], axis=1
            )
            sums.append(np.concatenate([table.sum(axis=0)[None], draws[part] @ table]))
        total = np.sum(sums, axis=0)
        found = np.full(len(total), np.nan)
        np.divide(total[:, 0], total[:, 1], out=found, where=total[:, 1] > 0)
        return -10 * np.log10(found.clip(1e-10)) if over == "decibel" else found

    fewest = min(len(found) for found, _ in units.values())
    resampled = {m: {name: values(m, name) for name in SCORES} for m in tiles.scores}

    def interval(numbers: Array) -> Estimate:
        return estimate(float(numbers[0]), numbers[1:], fewest if len(numbers) > 1 else 0)

    return Section(
        dataset=names[0] if len(names) == 1 else ALL,
        tiles=int(chosen.sum()),
        units=sum(len(found) for found, _ in units.values()),
        scores={m: {n: interval(v) for n, v in found.items()} for m, found in resampled.items()},
        comparisons=tuple(
            Comparison(
                ours,
                other,
                {n: interval(resampled[ours][n] - resampled[other][n]) for n in SCORES},
            )
            for ours, other in COMPARISONS
        ),
        spectra={m: np.subtract(*tiles.spectrum(m, chosen)) for m in tiles.scores},
    )
