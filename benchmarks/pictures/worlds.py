"""A sheet of simulated worlds, each in three of its years, for `docs/simulator.md`.

python -m benchmarks.pictures.worlds --out docs/images/worlds.jpg
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from preprocessing.simulator import WorldConfig, simulate_world

FIRST_SEED = 97_000
SIDE = 180
SCENES = (0, 1, 3)
USUAL = WorldConfig(height=SIDE, width=SIDE, years=13, interval=4, seasons=0.5, landscape="city")
WORLDS = (
    replace(USUAL, climate="desert", gsd_m=90.0, false_colour=True, sensor="changing"),
    replace(USUAL, landscape="suburbs", climate="temperate", gsd_m=10.0),
    replace(USUAL, landscape="frontier", climate="tropical", gsd_m=60.0, false_colour=True),
    replace(USUAL, landscape="river", climate="tropical", gsd_m=80.0, false_colour=True),
    replace(USUAL, landscape="mining", climate="northern", gsd_m=40.0, false_colour=True),
    replace(USUAL, landscape="reservoir", climate="mediterranean", gsd_m=60.0),
    replace(USUAL, landscape="irrigation", climate="desert", gsd_m=30.0),
    replace(USUAL, landscape="coast", climate="desert", gsd_m=60.0, growth="rising"),
    replace(USUAL, landscape="plantation", climate="tropical", gsd_m=30.0, sensor="dithered"),
    replace(USUAL, landscape="villages", climate="temperate", gsd_m=9.0, sensor="changing"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    options = parser.parse_args(arguments)
    strips = [
        strip(replace(world, seed=options.seed + number)) for number, world in enumerate(WORLDS)
    ]
    gap = np.full((len(strips) // 2 * (SIDE + 4), 8, 3), 255, np.uint8)
    sheet = np.hstack([np.vstack(strips[0::2]), gap, np.vstack(strips[1::2])])
    Image.fromarray(sheet).save(options.out, quality=70, optimize=True)


def strip(config: WorldConfig) -> NDArray[np.uint8]:
    """Three scenes of a world side by side, with a white line below."""
    rasters = simulate_world(config).rasters
    scenes = [np.rint(rasters[each].data * 255).astype(np.uint8) for each in SCENES]
    row = np.hstack([scene.transpose(1, 2, 0) for scene in scenes])
    return np.vstack([row, np.full((4, row.shape[1], 3), 255, np.uint8)])


if __name__ == "__main__":
    main()
