"""Skill of a model of several passes against the number of passes, for each solver it knows.

    python benchmarks/passes.py MODEL PAIRS... --pairs 96 --members 8

MODEL was trained for `flow`, `velocity` or `noise`. Prints the CRPS on validation pairs, in grey
levels.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

import argparse
from collections.abc import Sequence
from typing import get_args

from forecast.ensemble import predict_tiles
from forecast.evaluation.tally import Tally
from forecast.evaluation.tiles import evenly_by_dataset
from forecast.pretrained import load_model
from forecast.process import ONE_PASS, Sampler
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.pair_index import PairIndex

PASSES = (1, 2, 4, 8, 16, 50)
BATCH = 16


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--pairs", type=int, default=96)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--passes", type=int, nargs="+", default=list(PASSES))
    options = parser.parse_args(arguments)
    model = load_model(options.model)
    if model.config.objective in ONE_PASS:
        parser.error(f"expected a model of several passes, {options.model} takes one")
    data = PairData(PairIndex.of(options.stores, "val"), seed=0)
    print("| solver | " + " | ".join(str(passes) for passes in options.passes) + " |")
    print("|---" * (len(options.passes) + 1) + "|")
    for sampler in get_args(Sampler)[1:]:
        try:
            model.process.solver(sampler, 1)
        except ValueError:
            continue  # A solver of another kind of process.
        scores = [
            crps(model, data, options.pairs, options.members, passes, sampler)
            for passes in options.passes
        ]
        print(f"| {sampler} | " + " | ".join(f"{score:.2f}" for score in scores) + " |", flush=True)


def crps(
    model: ForecastUNet, data: PairData, pairs: int, members: int, passes: int, sampler: Sampler
) -> float:
    sums = Tally()
    index = evenly_by_dataset(data, pairs)
    for start in range(0, len(index), BATCH):
        batch = data.batch_of(index[start : start + BATCH])
        ensemble = predict_tiles(
            model,
            batch.past,
            batch.years,
            batch.gsd_m,
            members=members,
            seed=start,
            steps=passes,
            sampler=sampler,
        )
        sums += Tally.of(ensemble, batch)
    return 255 * sums.scores()["crps"]


if __name__ == "__main__":
    main()
