"""Ten years in yearly steps against ten years at once, and what the steps do to detail and colour.

    python benchmarks/rollout.py --model base --worlds 2 --members 4

On simulated worlds that no model was trained on. Skill is scored on 4x4 means. Detail and colour
are those of ground that no year of the forecast has touched: where nothing that lasts has changed
by more than 5 grey levels. Its colour is given twice, as the last image shows it and without what
is of that year alone (`forecast.fluctuation`), which is where years would add up to a drift.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

import argparse
import tempfile
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from forecast.colours import LandColours
from forecast.direct import direct_forecasts
from forecast.evaluation.statistic import Observed
from forecast.evaluation.tally import Tally
from forecast.patches import to_low
from forecast.pretrained import load_model, model_folder
from forecast.region import RegionStepper
from forecast.rollout import rollout
from preprocessing.histogram import match_histogram
from preprocessing.simulator import WorldConfig, simulate_world
from sr.lift import ESRGANLift
from sr.pretrained import load_network

FIRST_SEED = 95_000
YEARS = 10
TOUCHED = 5 / 255
MARGIN = 2
Image = NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--worlds", type=int, default=2)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--side", type=int, default=384, help="pixels, a multiple of 4")
    options = parser.parse_args(arguments)
    model, lift = load_model(options.model), ESRGANLift(load_network())
    sums = {(name, year): Tally() for name in METHODS for year in range(1, YEARS + 1)}
    detail: list[tuple[float, ...]] = []
    for number in range(options.worlds):
        config = WorldConfig(
            height=options.side, width=options.side, years=YEARS + 1, seed=FIRST_SEED + number
        )
        truth = [np.asarray(raster.data, np.float32) for raster in simulate_world(config).rasters]
        truth = [truth[0], *(match_histogram(image, truth[0]) for image in truth[1:])]
        stepper = RegionStepper(
            model,
            lift,
            height=options.side,
            width=options.side,
            gsd_m=config.gsd_m,
            land=LandColours.load(model_folder(options.model)),
        )
        rolled = [yearly(stepper, truth[0], m, detail) for m in range(options.members)]
        direct = [at_once(stepper, truth[0], m) for m in range(options.members)]
        still = [[truth[0]] * YEARS]
        for year in range(1, YEARS + 1):
            change = low(truth[year]) - low(truth[0])
            weight = torch.ones_like(change[:, :1])
            for name, members in zip(METHODS, (rolled, direct, still), strict=True):
                ensemble = torch.stack([low(m[year - 1]) - low(truth[0]) for m in members])
                sums[name, year] += Tally.of(ensemble, Observed(change, weight))
    print("| years | " + " | ".join(f"CRPS, {name}" for name in METHODS) + " |")
    print("|---" * (len(METHODS) + 1) + "|")
    for year in range(1, YEARS + 1):
        scores = [f"{255 * sums[name, year].scores()['crps']:.2f}" for name in METHODS]
        print(f"| {year} | {' | '.join(scores)} |")
    share, energy, colour, carried = np.mean(detail, axis=0)
    print(
        f"\nafter {YEARS} yearly steps {share:.0%} of the ground was never touched; there the "
        f"high-frequency energy is {energy:.3f} of the present's and the mean colour has moved by "
        f"{255 * colour:.2f} grey levels, {255 * carried:.2f} without the last year's fluctuation"
    )


METHODS = ("yearly steps", "at once", "persistence")


def yearly(
    stepper: RegionStepper, start: Image, member: int, detail: list[tuple[float, ...]]
) -> list[Image]:
    """The images of one member; adds what became of untouched ground to `detail`."""
    images: list[Image] = []
    touched, before = np.zeros(low(start).shape[-2:], bool), low(start)
    with tempfile.TemporaryDirectory() as scratch:
        for year, state in rollout(
            stepper, start, Path(scratch), seed=1, member=member, start_year=2000, years=YEARS
        ):
            image = np.array(state)
            carried = low(np.load(Path(scratch) / f"state_{year}.npy"))
            touched |= ((carried - before).abs().mean(dim=1)[0] > TOUCHED).numpy()
            images.append(image)
            before = carried
    coarse = ~binary_dilation(touched, iterations=MARGIN)
    ground = np.kron(coarse, np.ones((4, 4), bool))
    if ground.any():
        energy = sharp(images[-1])[:, ground].var() / sharp(start)[:, ground].var()
        colour = np.abs((images[-1] - start)[:, ground].mean(axis=1)).max()
        drift = (before - low(start))[0][:, torch.from_numpy(coarse)].mean(dim=1).abs().max()
        detail.append((float(ground.mean()), float(energy), float(colour), float(drift)))
    return images


def at_once(stepper: RegionStepper, start: Image, member: int) -> list[Image]:
    """One step to each horizon."""
    years = range(2001, 2001 + YEARS)
    with tempfile.TemporaryDirectory() as scratch:
        forecasts = direct_forecasts(
            stepper, start, Path(scratch), seed=1, member=member, start_year=2000, years=years
        )
        return [np.array(image) for _, image in forecasts]


def low(image: Image) -> torch.Tensor:
    return to_low(torch.from_numpy(image)[None])


def sharp(image: Image) -> Image:
    return image - gaussian_filter(image, (0, 2, 2))


if __name__ == "__main__":
    main()
