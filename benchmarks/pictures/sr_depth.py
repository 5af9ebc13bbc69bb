"""Learning curves of super-resolution networks of 1, 4 and 16 blocks at equal steps.

    python -m benchmarks.pictures.sr_depth PAIRS... --out DIR [--steps 600] [--blocks 1 4 16]

Trains one after the other with L1 loss from scratch, and draws loss and validation PSNR against
steps and against seconds into DIR/curves.png. What is done is not done again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sr.network.checkpoints import CHECKPOINT
from sr.training.loop import LOG, train_sr
from sr.training.recipe import read_recipe

VALIDATIONS = 12
QUANTITIES = {"pixel": "L1 loss of a batch", "model_psnr_db": "validation PSNR, dB"}
AXES = {"step": "steps", "seconds": "seconds"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--blocks", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args(arguments)
    curves = {}
    for blocks in options.blocks:
        every = max(1, options.steps // VALIDATIONS)
        recipe = dataclasses.replace(
            read_recipe(),
            depths=(blocks,),
            depth_steps=(options.steps,),
            gan_steps=0,
            validate_every=every,
            checkpoint_every=every,
        )
        folder = options.out / f"rrdb{blocks}"
        train_sr(options.stores, folder, recipe, resume=(folder / CHECKPOINT).is_file())
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
        curves[blocks] = [json.loads(line) for line in lines]
    draw(curves, options.out / "curves.png")
    print("| blocks | steps | seconds | PSNR, dB | over bicubic, dB |")
    print("|---|---|---|---|---|")
    for blocks, records in curves.items():
        last = records[-1]
        gain = last["model_psnr_db"] - last["bicubic_psnr_db"]
        print(
            f"| {blocks} | {last['step']} | {last['seconds']:.0f} | {last['model_psnr_db']:.2f} "
            f"| {gain:+.2f} |"
        )


def draw(curves: dict[int, list[dict[str, Any]]], path: Path) -> None:
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(len(QUANTITIES), len(AXES), sharey="row", squeeze=False)
    for row, (quantity, title) in zip(panels, QUANTITIES.items(), strict=True):
        for panel, (axis, label) in zip(row, AXES.items(), strict=True):
            for blocks, records in curves.items():
                x, y = ([record[name] for record in records] for name in (axis, quantity))
                panel.plot(x, y, label=f"{blocks} blocks" if blocks > 1 else "1 block")
            if quantity == "model_psnr_db":
                bicubic = next(iter(curves.values()))[0]["bicubic_psnr_db"]
                panel.axhline(bicubic, color="grey", linestyle="--", label="bicubic")
            panel.set(xlabel=label, ylabel=title)
            panel.grid(alpha=0.3)
    panels[-1, 0].legend()
    part = path.with_suffix(".part.png")
    figure.savefig(part, dpi=120)
    part.replace(path)


if __name__ == "__main__":
    main()
