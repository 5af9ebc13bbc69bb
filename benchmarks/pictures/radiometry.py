"""What ways of matching colours do to unchanged ground and to true change, on simulated worlds.

    python -m benchmarks.pictures.radiometry [--worlds 12] [--side 384]

A later date of a world has other crops, its sensor's noise, and new ground of one kind (built-up,
bare, water, cleared) in patches on 10, 20 or 30 % of it; then it is seen in a light drawn for it:
gain, haze, gamma and mixed bands. Each way brings it back to the colours of the earlier date. The
true later date in the earlier light is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.colour_transform import ColourMap
from preprocessing.radiometry.colour_transport import ColourTransport
from preprocessing.radiometry.histogram_matching import match_histogram
from preprocessing.radiometry.pseudo_invariant import PseudoInvariant
from preprocessing.simulator import WorldConfig, simulate_world
from preprocessing.simulator.covers import Cover
from preprocessing.tiles.cells import cell_means

Image = NDArray[np.uint8]
SHARES = (0.1, 0.2, 0.3)
KINDS = (Cover.BUILT_UP, Cover.BARE, Cover.WATER, Cover.CLEARCUT)


@dataclass(frozen=True)
class Case:
    """Two dates of a world, `(3, h, w)`, and what is true of the later one."""

    before: Image
    seen: Image
    true: NDArray[np.float32]
    changed: NDArray[np.bool_]
    still: NDArray[np.bool_]


def _nothing(seen: Image, before: Image) -> NDArray[np.generic]:
    return seen


def _histogram(seen: Image, before: Image) -> NDArray[np.generic]:
    return match_histogram(seen, before)


def _invariant(seen: Image, before: Image) -> NDArray[np.generic]:
    return PseudoInvariant().add(seen, before).curves().apply(seen)


def _regression(seen: Image, before: Image) -> NDArray[np.generic]:
    return ColourMap.fit(cell_means(seen), cell_means(before)).apply(seen)


def _transport(seen: Image, before: Image) -> NDArray[np.generic]:
    return ColourTransport.fit(cell_means(seen), cell_means(before)).apply(seen)


WAYS: dict[str, Callable[[Image, Image], NDArray[np.generic]]] = {
    "nothing": _nothing,
    "matched histograms": _histogram,
    "IR-MAD, a line per band": _invariant,
    "robust quadratic regression": _regression,
    "transport on unchanged ground": _transport,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table: medians over worlds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--side", type=int, default=384, help="pixels")
    parser.add_argument("--seed", type=int, default=1000, help="of the first world")
    args = parser.parse_args(arguments)
    found: dict[tuple[str, float], list[tuple[float, float]]] = {}
    refused = 0
    for seed in range(args.seed, args.seed + args.worlds):
        for share, case in _cases(seed, args.side):
            for name, way in WAYS.items():
                try:
                    scores = _scores(case, way(case.seen, case.before))
                except NoValidPixelsError:
                    refused += 1
                    continue
                found.setdefault((name, share), []).append(scores)
    head = " | ".join(f"{share:.0%}: error | change left" for share in SHARES)
    print(f"| | {head} |")
    print("|---" * (1 + 2 * len(SHARES)) + "|")
    for name in WAYS:
        cells = [
            "{:.1f} | {:.2f}".format(*np.median(found[name, share], axis=0)) for share in SHARES
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{args.worlds} worlds; IR-MAD refused {refused} of {args.worlds * len(SHARES)}")


def _cases(seed: int, side: int) -> Iterator[tuple[float, Case]]:
    config = WorldConfig(height=side, width=side, years=2, seed=seed)
    world = simulate_world(config)
    first, second = (raster.data * 255 for raster in world.rasters)
    crops = (world.covers[0] == Cover.CROPLAND) & (world.covers[1] == Cover.CROPLAND)
    for number, share in enumerate(SHARES):
        rng = np.random.default_rng([seed, number])
        patches = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 12)
        changed = patches > np.quantile(patches, 1 - share)
        true = np.where(crops, second, first) + rng.normal(0, 2, first.shape)
        true = np.where(changed, _new_ground(first, world.covers[0], rng), true)
        seen = np.clip(np.rint(_light(true, rng)), 0, 255).astype(np.uint8)
        before = np.rint(first).astype(np.uint8)
        yield share, Case(before, seen, true.astype(np.float32), changed, ~changed & ~crops)


def _new_ground(
    image: NDArray[np.float32], cover: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Colours and contrast of one kind of ground of the world, everywhere."""
    there = [kind for kind in KINDS if np.count_nonzero(cover == kind) > 200]
    pixels = image[:, cover == rng.choice(there)]
    texture = cv2.GaussianBlur(rng.normal(size=image.shape[1:]), (0, 0), 1.0)
    texture /= texture.std()
    colours = pixels.mean(axis=1)[:, None, None] + pixels.std(axis=1)[:, None, None] * texture
    return np.asarray(colours, np.float64)


def _light(image: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Grey levels as another light, season of haze, sensor and stretch would show them."""
    mixed = np.eye(3) + rng.uniform(-0.08, 0.08, (3, 3))
    unit = np.clip(np.einsum("ij,jhw->ihw", mixed, image) / 255, 0, None)
    gamma, gain = rng.uniform(0.8, 1.25, (3, 1, 1)), rng.uniform(0.75, 1.15, (3, 1, 1))
    return np.asarray(rng.uniform(0, 30, (3, 1, 1)) + 255 * gain * unit**gamma)


def _scores(case: Case, mapped: NDArray[np.generic]) -> tuple[float, float]:
    """RMSE of cells that did not change, grey levels; slope of what is left of true change."""
    error = cell_means(mapped - case.true)
    wanted = cell_means(case.true - case.before)
    got = cell_means(mapped.astype(np.float32) - case.before)
    still, changed = (cell_means(mask) == 1 for mask in (case.still, case.changed))
    rmse = float(np.sqrt((error[:, still] ** 2).mean()))
    left = (got[:, changed] * wanted[:, changed]).sum() / (wanted[:, changed] ** 2).sum()
    return rmse, float(left)


if __name__ == "__main__":
    main()
