"""Sums of all statistics by dataset, horizon, unit of the bootstrap and method; they merge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from forecast.evaluation.scores.statistic import Array

__all__ = ["EvaluationSums", "Group"]


class Group(NamedTuple):
    """Pairs whose sums are kept together.

    Attributes:
        dataset: First part of the source.
        horizon: Number of the horizon class.
        unit: What the bootstrap draws as a whole.
        methods: Names of the methods that forecast these pairs.
    """

    dataset: str
    horizon: int
    unit: str
    methods: tuple[str, ...]


@dataclass
class EvaluationSums:
    """Adds up by `+`: order, batch size and machine do not matter.

    Attributes:
        pairs: Pairs of each group.
        sums: `(k,)` sums by group, method and name of the statistic.
    """

    pairs: dict[Group, int] = field(default_factory=dict)
    sums: dict[tuple[Group, str, str], Array] = field(default_factory=dict)

    def count(self, groups: Iterable[Group]) -> None:
        """Note one pair of each group named."""
        for group in groups:
            self.pairs[group] = self.pairs.get(group, 0) + 1

    def add(self, groups: Sequence[Group], method: str, statistic: str, rows: Array) -> None:
        """Add the sums `(b, k)` of pairs that belong to `groups`.

        Raises:
            ValueError: The method gave ensembles of another size before.
        """
        for group, row in zip(groups, rows, strict=True):
            key = (group, method, statistic)
            known = self.sums.get(key)
            if known is not None and known.shape != row.shape:
                raise ValueError(
                    f"{method}: expected ensembles of one size, got {statistic} of "
                    f"{known.size} and {row.size} values"
                )
            self.sums[key] = row.copy() if known is None else known + row

    def __add__(self, other: EvaluationSums) -> EvaluationSums:
        merged = EvaluationSums(dict(self.pairs), dict(self.sums))
        for group, count in other.pairs.items():
            merged.pairs[group] = merged.pairs.get(group, 0) + count
        for (group, method, statistic), row in other.sums.items():
            merged.add([group], method, statistic, row[None])
        return merged

    def methods(self) -> list[str]:
        """Names of the methods that forecast some pair, in the order they were scored."""
        return list(dict.fromkeys(method for _, method, _ in self.sums))

    def statistics(self) -> list[str]:
        """Names of the statistics."""
        return list(dict.fromkeys(name for _, _, name in self.sums))

    def by_unit(
        self, groups: Iterable[Group], units: Sequence[str], method: str, statistic: str
    ) -> Array | None:
        """Sums of some groups as a matrix `(units, k)`, 0 for units without; None if all are."""
        place = {unit: number for number, unit in enumerate(units)}
        table: Array | None = None
        for group in groups:
            row = self.sums.get((group, method, statistic))
            if row is not None:
                if table is None:
                    table = np.zeros((len(units), row.size))
                table[place[group.unit]] += row
        return table
