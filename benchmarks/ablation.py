"""What each choice of the forecaster is worth: small models, equal training, one thing changed.

    python benchmarks/ablation.py --real naip.zarr dakota.zarr --simulated worlds.zarr --out out

Trains the recipe `base-32` and a variant of it for each choice on the same pairs, for the same
number of steps, then scores all of them on the same validation pairs: `OUT/scores/report.html` has
every score with its interval. Variants that are already there are not trained again. `mean`,
`flow`, `velocity`, `noise` and `reference-design` know no objects: compare them with `no-objects`.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.cli.bars import progress_bars
from app.evaluation import evaluate
from forecast.training.checkpoint import CHECKPOINT
from forecast.training.config import TrainingConfig, read_recipe
from forecast.training.loop import train_forecast

_PLAIN: dict[str, Any] = {"object_scales": ()}
_PASSES: dict[str, Any] = {**_PLAIN, "sampling_steps": 8}
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "contiguous": {"patch_layout": "contiguous"},
    "no-objects": _PLAIN,
    "regional-noise": {"regional_noise": 8},
    "parts": {"part_scale": 6.0},
    "no-resolution": {"resolution_condition": False},
    "history": {"history": 2},
    "mean": {**_PLAIN, "objective": "mean"},
    "flow": {**_PASSES, "objective": "flow"},
    "velocity": {**_PASSES, "objective": "velocity"},
    "noise": {**_PASSES, "objective": "noise", "noise_schedule": "linear"},
    "reference-design": {
        **_PLAIN,
        "objective": "noise",
        "noise_schedule": "linear",
        "sampler": "ddpm",
        "sampling_steps": 100,
        "patch_layout": "contiguous",
        "scaled_target": False,
        "attention_levels": 4,
    },
    "real-only": {},
    # A larger output is looked at through the same windows on the ground, and through its own
    # pixels. Further levels lead to the depth at which `base` begins.
    "output-64": {
        "output_size": 64,
        "block_out_channels": (32, 32, 64, 96, 128),
        "pool_scales": (1, 2, 8),
        "increment_lags": (1, 2, 4, 8),
    },
    "output-128": {
        "output_size": 128,
        "block_out_channels": (16, 32, 32, 64, 96, 128),
        "pool_scales": (1, 4, 16),
        "increment_lags": (1, 4, 8, 16),
    },
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", nargs="+", required=True, help="pair stores of real images")
    parser.add_argument("--simulated", nargs="+", required=True, help="pair stores of demo worlds")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--pairs", type=int, default=240, help="validation pairs, about")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    every = [*options.real, *options.simulated]
    with progress_bars() as progress:
        for name in options.variants:
            stores = options.real if name == "real-only" else every
            train(stores, options.out / name, name, options.steps)
            progress("variants", options.variants.index(name) + 1, len(options.variants))
    folders = [str(options.out / name) for name in options.variants]
    report = evaluate(
        folders[0],
        every,
        options.out / "scores",
        members=options.members,
        pairs=options.pairs,
        against=folders[1:],
    )
    print(report.read_text(encoding="utf-8"))


def train(stores: Sequence[str], out: Path, name: str, steps: int) -> None:
    facts = out / "training.json"
    if facts.exists():
        done = json.loads(facts.read_text(encoding="utf-8"))["steps_done"]
        if done != steps:
            raise SystemExit(f"expected {steps} steps in {out}, found {done}; name another --out")
        return
    # Validation along the way would score the pairs that decide in the end. Rollouts take time and
    # are not what the scores are about.
    recipe: TrainingConfig = replace(
        read_recipe("base-32"),
        **VARIANTS[name],
        rollout_share=0.0,
        steps=steps,
        validate_every=steps,
        validation_pairs=1,
    )
    train_forecast(stores, out, recipe, resume=(out / CHECKPOINT).exists())


if __name__ == "__main__":
    main()
