"""Scores with intervals, and differences to the first method, from the sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.evaluation.scores.bootstrap import draw_units, estimate
from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.statistic import Array, Statistic
from forecast.evaluation.scores.sums import EvaluationSums, Group
from forecast.horizons import HORIZON_NAMES
from preprocessing.quality.scores import Estimate

__all__ = ["ALL", "Comparison", "MethodScores", "Section", "sections"]

ALL = "all"


@dataclass(frozen=True)
class MethodScores:
    """Scores of one method.

    Attributes:
        method: Its name.
        pairs: Pairs it forecast.
        scores: By name, see `SCORES`; units of 0..1.
        curves: What figures show, by name.
    """

    method: str
    pairs: int
    scores: dict[str, Estimate]
    curves: dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """The first method against another one, on the pairs that both forecast.

    Attributes:
        against: Name of the other method.
        pairs: Pairs both forecast.
        difference: First minus other, by score; NaN intervals where there are too few units.
        skill: 1 - first / other, of scores that are better when lower.
    """

    against: str
    pairs: int
    difference: dict[str, Estimate]
    skill: dict[str, Estimate]

    def verdict(self, name: str) -> str:
        """`better` or `worse` where the interval of the difference excludes zero, else empty."""
        gap = self.difference.get(name)
        return "" if gap is None else SCORES[name].verdict(gap)


@dataclass(frozen=True)
class Section:
    """One dataset, or all, at one class of horizons, or at all.

    Attributes:
        dataset: Its name, or `all`.
        horizon: Name of the class in years, or `all`.
        pairs: Pairs scored.
        units: Places or blocks they belong to.
        methods: Scores, the method that is tested first.
        comparisons: The first method against each other one.
    """

    dataset: str
    horizon: str
    pairs: int
    units: int
    methods: tuple[MethodScores, ...]
    comparisons: tuple[Comparison, ...]


def sections(
    sums: EvaluationSums, statistics: Sequence[Statistic], *, seed: int, resamples: int
) -> list[Section]:
    """Turn sums into scores.

    Args:
        sums: Of all pairs.
        statistics: Those that made the sums.
        seed: Of the bootstrap.
        resamples: Resamples of the bootstrap.

    Returns:
        For each dataset, and for all where there are several: all horizons, then each class.
    """
    groups = sorted(sums.pairs)
    names = _names(groups)
    units = {n: sorted({g.unit for g in groups if g.dataset == n}) for n in names}
    draws = {n: draw_units(len(units[n]), seed=seed, name=n, resamples=resamples) for n in names}
    table = _Table(sums, {s.name: s for s in statistics}, units, draws)
    found = []
    for chosen in [[name] for name in names] + ([names] if len(names) > 1 else []):
        inside = [group for group in groups if group.dataset in chosen]
        label = chosen[0] if len(chosen) == 1 else ALL
        found.append(table.section(label, ALL, inside))
        classes = sorted({group.horizon for group in inside})
        for horizon in classes:
            part = [group for group in inside if group.horizon == horizon]
            found.append(table.section(label, HORIZON_NAMES[horizon], part))
    return found


@dataclass(frozen=True)
class _Table:
    """Looks up sums of groups, as they are and resampled."""

    sums: EvaluationSums
    statistics: dict[str, Statistic]
    units: dict[str, list[str]]
    draws: dict[str, Array]

    def section(self, dataset: str, horizon: str, groups: list[Group]) -> Section:
        methods = self.sums.methods()
        first = methods[0]
        rows, comparisons = [], []
        for method in methods:
            common = [group for group in groups if method in group.methods]
            if not common:
                continue
            values = self._scores(common, method)
            count = sum(self.sums.pairs[group] for group in common)
            units = _fewest_units(common)
            rows.append(
                MethodScores(
                    method,
                    count,
                    {n: estimate(v[0], v[1:], units) for n, v in values.items()},
                    self._curves(common, method),
                )
            )
            if method != first:
                ours = self._scores(common, first)
                comparisons.append(_compare(method, count, units, ours, values))
        pairs = sum(self.sums.pairs[group] for group in groups)
        return Section(dataset, horizon, pairs, _units(groups), tuple(rows), tuple(comparisons))

    def _scores(self, groups: list[Group], method: str) -> dict[str, Array]:
        """Arrays `(1 + resamples,)` by score: of all pairs, then of each resample."""
        found: dict[str, Array] = {}
        for name, statistic in self.statistics.items():
            total: Array | float = 0.0
            for dataset in _names(groups):
                inside = [group for group in groups if group.dataset == dataset]
                matrix = self.sums.by_unit(inside, self.units[dataset], method, name)
                if matrix is not None:
                    whole = matrix.sum(axis=0, keepdims=True)
                    total = total + np.concatenate([whole, self.draws[dataset] @ matrix])
            found |= statistic.scores(np.asarray(total))
        return found

    def _curves(self, groups: list[Group], method: str) -> dict[str, Any]:
        curves: dict[str, Any] = {}
        for name, statistic in self.statistics.items():
            rows = [self.sums.sums[group, method, name] for group in groups]
            curves |= statistic.curves(np.sum(rows, axis=0))
        return curves


def _units(groups: Sequence[Group]) -> int:
    return len({(group.dataset, group.unit) for group in groups})


def _fewest_units(groups: Sequence[Group]) -> int:
    """Units of the dataset that has the fewest.

    Units are drawn within each dataset: one that has a single unit looks as if it had no error.
    """
    return min(_units([g for g in groups if g.dataset == name]) for name in _names(groups))


def _names(groups: Sequence[Group]) -> list[str]:
    return sorted({group.dataset for group in groups})


def _compare(
    method: str, pairs: int, units: int, ours: dict[str, Array], theirs: dict[str, Array]
) -> Comparison:
    difference, skill = {}, {}
    for name, value in ours.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = value - theirs[name]
            relative = np.where(theirs[name] > 0, 1 - value / theirs[name], np.nan)
        if np.isfinite(gap[0]):
            difference[name] = estimate(gap[0], gap[1:], units)
            if SCORES[name].better == "lower":
                skill[name] = estimate(relative[0], relative[1:], units)
    return Comparison(method, pairs, difference, skill)
