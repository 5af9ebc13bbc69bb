"""Score methods on stored pairs, batch by batch; no ensemble outlives its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.evaluation.aggregation import NullResolution
from forecast.evaluation.cases import Cases
from forecast.evaluation.energy import EnergyScore
from forecast.evaluation.examples import Example, choose_examples
from forecast.evaluation.features import FeatureDistance
from forecast.evaluation.history import earlier_pairs, yearly_change
from forecast.evaluation.methods import Method
from forecast.evaluation.places import resampling_units
from forecast.evaluation.ranks import RankHistogram
from forecast.evaluation.similarity import StructuralSimilarity
from forecast.evaluation.spectra import SpectralDistance
from forecast.evaluation.statistic import Statistic
from forecast.evaluation.sums import EvaluationSums, Group
from forecast.evaluation.values import ValueScores
from forecast.horizons import horizon_class
from forecast.pair_history import find_chains, history_of
from preprocessing.pair_index import PairIndex

__all__ = ["Scored", "all_statistics", "score_methods"]


@dataclass(frozen=True)
class Scored:
    """What scoring leaves.

    Attributes:
        sums: Of all methods.
        kinds: By dataset the kind of unit its bootstrap draws, `places` or `blocks`.
        examples: A few pairs with members of the first method.
        members: Size of the ensembles by method.
        history: How many pairs had at least one, two ... of the earlier dates that a method
            looks at.
    """

    sums: EvaluationSums
    kinds: dict[str, str]
    examples: tuple[Example, ...]
    members: dict[str, int]
    history: tuple[int, ...]


def all_statistics(*, seed: int, perceptual_weights: Path | None = None) -> list[Statistic]:
    """Every statistic of the report.

    Args:
        seed: Of random tie-breaking.
        perceptual_weights: Weights of VGG16, see `load_vgg16`; the stand-in where None.
    """
    weights = perceptual_weights
    return [
        ValueScores(),
        EnergyScore(),
        RankHistogram(seed=seed),
        NullResolution(),
        StructuralSimilarity(),
        SpectralDistance(),
        FeatureDistance.gabor() if weights is None else FeatureDistance.vgg16(weights),
    ]


def score_methods(
    index: PairIndex,
    chosen: NDArray[np.intp],
    methods: Sequence[Method],
    statistics: Sequence[Statistic],
    *,
    seed: int = 0,
    batch_size: int = 16,
    progress: Callable[[str, int, int], None] | None = None,
) -> Scored:
    """Forecast and score pairs.

    Args:
        index: All pairs of the split; earlier dates are looked for among them.
        chosen: Positions of those to score.
        methods: The one that is tested first.
        statistics: What to measure.
        seed: Of noise, tie-breaking and examples.
        batch_size: Pairs in memory; the scores do not depend on it.
        progress: Called with `("scoring", done, total)`.

    Raises:
        ValueError: The first method leaves out a pair, two methods share a name, or the ensembles
            of one differ in size.
    """
    if len({method.name for method in methods}) < len(methods):
        raise ValueError(f"expected methods of different names, got {[m.name for m in methods]}")
    units, kinds = resampling_units(index)
    horizons = horizon_class(index.years)
    earlier = earlier_pairs(index)
    dates = max(method.history for method in methods)
    chains = find_chains(
        index.source, index.row, index.col, index.years, count=dates, store=index.store
    )
    with_history = np.zeros(dates, int)
    shown = choose_examples(index, chosen, seed=seed)
    sums, examples = EvaluationSums(), []
    sizes: dict[str, int] = {}
    for done, part in _batches(chosen, batch_size):
        pairs = index.read(part)
        history = history_of(pairs, chains[part], index.read, factor=1)
        with_history += (history.years > 0).sum(dim=0).numpy()
        cases = Cases.of(pairs, yearly_change(index, part, pairs, earlier), history)
        ensembles = {method.name: _ensemble(method, cases, seed) for method in methods}
        able = {name: _covered(ensemble) for name, ensemble in ensembles.items()}
        if not bool(able[methods[0].name].all()):
            raise ValueError(f"{methods[0].name}: expected members of every pair, got NaN")
        groups = [
            Group(
                str(index.dataset[at]),
                int(horizons[at]),
                str(units[at]),
                tuple(name for name, covered in able.items() if bool(covered[i])),
            )
            for i, at in enumerate(part.tolist())
        ]
        sums.count(groups)
        for name, ensemble in ensembles.items():
            rows = torch.nonzero(able[name])[:, 0]
            if len(rows) == 0:
                continue
            if sizes.setdefault(name, len(ensemble)) != len(ensemble):
                raise ValueError(
                    f"{name}: expected ensembles of one size, got {sizes[name]} and {len(ensemble)}"
                )
            inside = [groups[i] for i in rows.tolist()]
            covered_cases, members = cases.take(rows), ensemble[:, rows]
            for statistic in statistics:
                sums.add(inside, name, statistic.name, statistic.sums(members, covered_cases))
        for i in np.flatnonzero(np.isin(part, shown)).tolist():
            members = ensembles[methods[0].name][:, i]
            examples.append(Example.of(pairs, i, members, float(cases.years[i])))
        if progress is not None:
            progress("scoring", done, len(chosen))
    found = {name: kinds[name] for name in kinds if name in index.dataset[chosen]}
    return Scored(sums, found, tuple(examples), sizes, tuple(with_history.tolist()))


def _ensemble(method: Method, cases: Cases, seed: int) -> Tensor:
    with torch.inference_mode():
        ensemble = method.members(cases, seed).float().cpu()
    if ensemble.shape[1:] != cases.difference.shape:
        raise ValueError(
            f"{method.name}: expected members of shape (m, {tuple(cases.difference.shape)}), "
            f"got {tuple(ensemble.shape)}"
        )
    return ensemble


def _covered(ensemble: Tensor) -> Tensor:
    """Pairs whose members are all finite: bool `(b,)`."""
    return ensemble.isfinite().flatten(2).all(dim=2).all(dim=0)


def _batches(chosen: NDArray[np.intp], size: int) -> Iterator[tuple[int, NDArray[np.intp]]]:
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        yield start + len(part), part
