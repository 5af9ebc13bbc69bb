"""The region's own past teaches where it changes; kept beside what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.hindcast.intervals import BLOCK
from forecast.hindcast.observations import ObservationModels
from forecast.hindcast.occurrence import LocalOccurrence
from forecast.hindcast.past import Past
from forecast.hindcast.past_events import past_events
from forecast.hindcast.quantity import Quantity
from forecast.hindcast.skill import UNTOLD, HindcastSkill, hindcast
from forecast.network.conditions import CONDITIONS, Tone
from forecast.network.patches import FACTOR
from forecast.region.change_allocation import reallocated
from forecast.region.earlier import EarlierCells
from forecast.region.ground import EVENTS, SKILL, TAUGHT, Ground, start_cells
from forecast.region.region_conditions import (
    PastChange,
    anomaly_odds,
    region_conditions,
    region_tone,
)
from forecast.region.seen_again import write_seen_again
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from forecast.region.windows import cut, strips
from preprocessing.rasters.window import Window
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import mapped_array
from preprocessing.running.executor import in_threads
from preprocessing.running.files import write_text
from preprocessing.running.partial_files import partial_path

__all__ = ["teach"]

_MEMBERS = 2
Picture = Callable[[int], Parts]


def teach(
    ground: Ground,
    folder: Path,
    network: RegionNetwork,
    observations: ObservationModels | None,
    picture: Picture,
    *,
    seed: int,
    years: int,
    threads: int = 1,
    calibrate: bool = True,
) -> Ground:
    """Forecast the region's past; keep what it teaches about its future where that helps.

    Args:
        ground: The region at its start.
        folder: Of `prepare_ground`; what is there already is kept.
        network: Answers for the region.
        observations: Of the model; None where none are asked for.
        picture: The image `(3, 4 * h, 4 * w)` of an earlier date by its number, padded, 0..1.
        seed: Of the run.
        years: How many years ahead are asked for.
        threads: Blocks that are worked on side by side.
        calibrate: Learn from the region's past; else observations alone are told, by those of
            training places.

    Returns:
        The ground with what was found.
    """
    written = folder / f"{SKILL}.json"
    if written.exists():
        return ground
    past = _past(ground, folder)

    def look_again() -> None:
        if observations is not None:
            here = observations.of_past(past, seed=seed, taught=calibrate)
            write_seen_again(here, past, folder, longest=network.longest_years, threads=threads)

    def general(date: int, years: float) -> NDArray[np.float32]:
        zeros, seen = ground.zeros, ground.earlier.known[date]
        cells = zeros(ground.cells.shape, np.float32)
        for rows in strips(ground.objects.shape):
            cells[:, rows] = ground.earlier.cells[date][:, rows]
        tone = region_tone(cells, seen, zeros=zeros)
        view = _view_of(ground, date, cells, tone, picture(date), folder)
        answers = [
            network.probability(view, years, Noise(seed, member)) for member in range(_MEMBERS)
        ]
        mean = zeros(answers[0].shape, np.float32)
        for rows in strips(mean.shape):
            mean[rows] = np.mean([answer[rows] for answer in answers], axis=0)
        rare = anomaly_odds(cells, seen, tone, zeros=zeros)
        changed = PastChange(view.conditions, seen)
        return reallocated(mean, changed, rare.__getitem__, seen, zeros=zeros)

    def look_back() -> tuple[Quantity | None, HindcastSkill | None]:
        if not calibrate:
            return None, None
        if len(past) > 2:
            past_events(past, float(ground.view.tone.contrast[0])).save(folder / f"{EVENTS}.npz")
        quantity = Quantity.of(past, threads=threads)
        if quantity is not None:
            quantity.save(folder)
        return quantity, hindcast(past, general, seed=seed, threads=threads)

    # Neither needs the other.
    both: Sequence[Callable[[], Any]] = [look_back, look_again]
    (quantity, skill), _ = in_threads(lambda look: look(), both, min(threads, len(both)))
    trust = UNTOLD if skill is None else skill.trust
    local = None
    if quantity is not None and trust * quantity.lasting > 0:
        local = LocalOccurrence.fit(past, seed=seed, threads=threads)
    if local is not None:
        leg = min(years, network.longest_years)
        horizons = [float(year) for year in range(1, leg + 1)]
        part = partial_path(folder / f"{TAUGHT}.npy")
        planes = mapped_array(part, np.float16, (len(horizons), *ground.objects.shape))

        def write(window: Window) -> None:
            planes[(slice(None), *window.slices)] = local.of_block(window, horizons)

        list(in_threads(write, cut(*past.shape, BLOCK), threads))
        planes.flush()
        part.replace(folder / f"{TAUGHT}.npy")
    write_text(written, json.dumps(None if skill is None else asdict(skill)))
    return Ground.open(folder, ground.encoding)


def _past(ground: Ground, folder: Path) -> Past:
    earlier = ground.earlier
    count = len(earlier.years) + 1
    cells = mapped_array(folder / "past.npy", np.float16, (count, *ground.cells.shape))
    known = ground.zeros((count, *ground.objects.shape), np.bool_)
    for rows in strips(ground.objects.shape):
        cells[:-1, :, rows], known[:-1, rows] = earlier.cells[:, :, rows], earlier.known[:, rows]
        cells[-1, :, rows], known[-1, rows] = ground.cells[:, rows], ground.seen[rows]
    # What is beyond the region only fills tiles.
    height, width = (size // FACTOR for size in ground.stored.shape[1:])
    known[:, height:], known[:, :, width:] = False, False
    years = np.append(-earlier.years.astype(np.float64), 0.0)
    return Past(cells, known, years)


def _view_of(
    ground: Ground,
    date: int,
    cells: NDArray[np.float32],
    tone: Tone,
    image: Parts,
    folder: Path,
) -> View:
    """What the network sees at an earlier date of the region, and nothing later."""
    earlier, zeros = ground.earlier, ground.zeros
    before = slice(np.count_nonzero(earlier.years > earlier.years[date]))  # The oldest first.
    known = EarlierCells(
        earlier.cells[before], earlier.known[before], earlier.years[before] - earlier.years[date]
    )
    channels = mapped_array(
        folder / "past_conditions.npy",
        np.float16,
        (CONDITIONS, *cells.shape[1:]),
    )
    seen = earlier.known[date]
    region_conditions(cells, known, tone, channels)
    own = start_cells(image, seen[:0], zeros=zeros)[0]
    return View(image, channels, region_tone(own, seen, zeros=zeros))
