"""Peak memory of training each forecaster.

    python benchmarks/training_memory.py PAIRS... [--recipes base large] [--batch-size 16]

Runs `landcast train forecast` for a few steps, in a process of its own for each recipe, and prints
the peak of that process's memory: resident memory on a CPU, that of the device on a GPU.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

import argparse
import dataclasses
import multiprocessing
import resource
import tempfile
from multiprocessing.connection import Connection

import torch

from forecast.pretrained import load_model
from forecast.training.config import TrainingConfig, read_recipe
from forecast.training.loop import train_forecast

LIMIT_GIB = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--recipes", nargs="+", default=["tiny", "base", "large"])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    print("| recipe | parameters | CPU, MiB | GPU, MiB | limit |\n|---|---|---|---|---|")
    for name in options.recipes:
        config = dataclasses.replace(
            read_recipe(name),
            steps=options.steps,
            batch_size=options.batch_size,
            validation_pairs=4,
        )
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=peak, args=(options.stores, config, theirs)
        )
        process.start()
        theirs.close()
        try:
            parameters, resident, device = ours.recv()
        except EOFError:
            raise SystemExit(f"the training of {name} failed, see above") from None
        process.join()
        met = max(resident, device) <= LIMIT_GIB * 1024
        print(
            f"| {name} | {parameters / 1e6:.1f} M | {resident:.0f} | {device:.0f} | "
            f"{'met' if met else 'missed'} |",
            flush=True,
        )


def peak(stores: list[str], config: TrainingConfig, answer: Connection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(train_forecast(stores, Path(folder) / "model", config))
    parameters = sum(p.numel() for p in model.parameters())
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    device = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
    answer.send((parameters, resident, device))


if __name__ == "__main__":
    main()
