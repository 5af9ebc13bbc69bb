"""Train the classifier of lasting change on simulated worlds and score it on worlds apart.

    python -m benchmarks.labelling.lasting_change --out preprocessing/lasting_change/weights

Seeds, landscapes, palettes and dates of training, calibration and scores are apart: see
`docs/lasting-change.md`, whose tables this prints.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmarks.labelling.examples import Example, KnownSeries, draw_example
from benchmarks.labelling.learning import (
    Fitting,
    calibrate_classifier,
    logits_of,
    train_classifier,
)
from benchmarks.labelling.looks import Palette
from preprocessing.lasting_change.classifier import ChangeClassifier
from preprocessing.rasters.dates import decimal_year
from preprocessing.simulator import WorldConfig, draw_config, simulate_world

LEARNT, TUNED, SCORED = 10_000, 5000, 9000
"""First seeds of the worlds of training, calibration and scores."""
_CLASSES = (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Bounds of the probabilities whose reliability is told."""
FARMED = 20_000
"""First seed of farmland and prairie: training; 100 on calibration, 200 on scores."""


def world(seed: int, size: int, cache: Path | None) -> KnownSeries:
    """A world drawn from a seed, kept in `cache` if there is one.

    Those that are scored have seasons at full strength and dates enough for five on either side.
    """
    path = cache / f"{seed}_{size}.npz" if cache else None
    if path is not None and path.exists():
        with np.load(path) as stored:
            return KnownSeries(**stored)
    rng = np.random.default_rng(seed)
    interval = 1 if rng.random() < 0.5 else 2
    years = int(rng.integers(9, 13)) if interval == 1 else int(rng.integers(16, 21))
    config = draw_config(seed, height=size, width=size, years=years, interval=interval)
    if SCORED <= seed < LEARNT:
        config = replace(config, years=12 + seed % 4, interval=1, seasons=1.0)
    if seed >= FARMED:
        config = WorldConfig(
            *(size, size, 10 + seed % 4),
            seed=seed,
            gsd_m=float(rng.choice([5.0, 10.0, 20.0])),
            landscape="prairie" if seed % 3 == 0 else "mixed",
            seasons=1.0 if seed >= FARMED + 200 else float(rng.random()),
        )
    made = simulate_world(config)
    series = KnownSeries(
        np.array([decimal_year(raster.date) for raster in made.rasters if raster.date]),
        np.stack([raster.encoding.encode(raster.data) for raster in made.rasters]),
        np.stack([raster.valid for raster in made.rasters]),
        np.stack(made.covers),
    )
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **vars(series))
    return series


def examples(
    seeds: range,
    arguments: argparse.Namespace,
    palettes: tuple[Palette | None, ...],
    dates: int | None = None,
    each: int | None = None,
) -> Iterator[Example]:
    """Pairs of dates of worlds; the palettes in turn."""
    for seed in seeds:
        series = world(seed, arguments.size, arguments.cache)
        rng = np.random.default_rng((seed, 1, dates or 0))
        for number in range(each or arguments.pairs):
            yield draw_example(series, rng, palettes[number % len(palettes)], dates)


def joined(
    network: ChangeClassifier, found: list[Example]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Logits, truth and the rule's difference of all known cells."""
    return (
        np.concatenate([logits_of(network, example) for example in found]),
        np.concatenate([example.changed[example.known] for example in found]),
        np.concatenate([example.difference[example.known] for example in found]),
    )


def report(name: str, network: ChangeClassifier, found: list[Example]) -> None:
    """Print scores of a set of examples."""
    logits, changed, difference = joined(network, found)
    probability = network.calibrated(logits)
    rule = average_precision_score(changed, difference)
    brier = float(((probability - changed) ** 2).mean())
    null = float(changed.mean() * (1 - changed.mean()))
    print(
        f"{name}: {len(found)} pairs, {changed.mean():.4f} changed, {probability.mean():.4f} "
        f"expected; average precision {average_precision_score(changed, probability):.3f} "
        f"(rule {rule:.3f}), Brier skill {1 - brier / null:.3f}"
    )
    classes = np.digitize(probability, _CLASSES)
    for own in (classes == number for number in np.unique(classes)):
        print(
            f"  expected {probability[own].mean():.3f}  changed {changed[own].mean():.3f}  "
            f"cells {own.sum()}"
        )


def main() -> None:
    """Train, calibrate, save, score."""
    parser = argparse.ArgumentParser(description=__doc__)
    weights = parser.add_mutually_exclusive_group(required=True)
    weights.add_argument("--out", type=Path, help="folder of the weights")
    weights.add_argument("--score", type=Path, help="score this folder's weights, train none")
    parser.add_argument("--cache", type=Path, help="folder that keeps simulated worlds")
    parser.add_argument("--worlds", type=int, default=90, help="worlds of training")
    parser.add_argument("--apart", type=int, default=12, help="worlds of calibration, of scores")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of dates of each world")
    parser.add_argument("--size", type=int, default=256, help="pixels along a world")
    parser.add_argument("--passes", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tuned, scored = (range(s, s + arguments.apart) for s in (TUNED, SCORED))
    if arguments.score is not None:
        network = ChangeClassifier.load(arguments.score)
    else:
        seeds = range(LEARNT, LEARNT + arguments.worlds)
        learnt = list(examples(seeds, arguments, ("mixed",)))
        learnt += examples(seeds, arguments, ("mixed",), 5, each=2)  # few draws have as many
        learnt += examples(range(FARMED, FARMED + 20), arguments, ("mixed",), each=8)
        network = train_classifier(learnt, Fitting(passes=arguments.passes))
        apart = list(examples(tuned, arguments, ("mixed", "own", "curved")))
        apart += examples(range(FARMED + 100, FARMED + 104), arguments, ("own", "curved"))
        logits, changed, _ = joined(network, apart)
        calibrate_classifier(network, logits, changed)
        network.save_pretrained(arguments.out)
    cases: dict[str, tuple[Palette | None, ...]] = {
        "as simulated": (None,),
        "degraded, palettes not trained on": ("own", "curved"),
    }
    farmed = range(FARMED + 200, FARMED + 206)
    for ground, seeds in (("every landscape", scored), ("farmland", farmed)):
        for name, palettes in cases.items():
            for dates in (5, 3, 2):
                found = list(examples(seeds, arguments, palettes, dates, each=2))
                report(f"{ground}, {name}, {dates} dates on either side", network, found)


if __name__ == "__main__":
    main()
