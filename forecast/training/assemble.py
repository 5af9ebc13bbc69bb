"""Training places from series stores, pair stores and simulated worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.training.place_tensors import UNKNOWN, GroundPlace
from preprocessing.errors import SeriesStoreError
from preprocessing.lasting_change import DatedCells, label_start, pairs_of_dates
from preprocessing.lasting_change.truth import LASTS_YEARS, cover_changed_lastingly
from preprocessing.pairs.store import SPLITS, PairStore
from preprocessing.running.progress import Steps, untold
from preprocessing.series import PlaceSeries, SeriesStore
from preprocessing.series.pair_index import choose_evenly
from preprocessing.simulator import draw_config, simulate_world

__all__ = ["assemble_places", "labels_of", "world_place"]

_HORIZONS = (1, 2, 3, 5, 7, 10)
_LEAST_DATES = 4
_FIRST_SEED = 10_000
_TRAINING_PAIRS, _VALIDATION_PAIRS = 4000, 24
"""Of a pair store, at most; 100 kB each in memory."""
_HELD_OUT = 10
"""Of so many worlds one is for validation."""


def assemble_places(
    stores: Sequence[str | Path], *, worlds: int, progress: Steps = untold
) -> tuple[list[GroundPlace], list[GroundPlace]]:
    """Read the places of stores, label them, and add worlds.

    Args:
        stores: Series stores, and pair stores, each pair of which is a place of two dates whose
            lasting change is not known. The split `test` is left out.
        worlds: Simulated worlds, every tenth for validation.
        progress: Called with (places done, places in all).

    Returns:
        Places to train on and to score on.

    Raises:
        PairStoreError: A store cannot be read, or is of neither kind.
    """
    opened = [_opened(store) for store in stores]
    names = [
        (store, name)
        for store in opened
        if not isinstance(store, PairStore)
        for name, label in store.labels.items()
        if label.split in ("train", "val") and len(label.dates) > 1
    ]
    train: list[GroundPlace] = []
    val: list[GroundPlace] = []
    for pairs in (store for store in opened if isinstance(store, PairStore)):
        train += _pair_places(pairs, "train", _TRAINING_PAIRS)
        val += _pair_places(pairs, "val", _VALIDATION_PAIRS)
    total = len(train) + len(val) + len(names) + worlds

    def done() -> None:
        progress(len(train) + len(val), total)

    for store, name in names:
        place = store.place(name)
        (train if place.split == "train" else val).append(GroundPlace.of(place, labels_of(place)))
        done()
    for number in range(worlds):
        world = world_place(_FIRST_SEED + number)
        (val if number % _HELD_OUT == _HELD_OUT - 1 else train).append(world)
        done()
    return train, val


def _opened(path: str | Path) -> SeriesStore | PairStore:
    try:
        return SeriesStore.open(path)
    except SeriesStoreError:
        return PairStore(path)


def _pair_places(store: PairStore, split: str, most: int) -> list[GroundPlace]:
    """Pairs of a split, evenly over its datasets; the later picture has the colours of the past."""
    inside = np.flatnonzero(store.column("split") == SPLITS.index(split))
    datasets = np.array([str(source).split("/")[0] for source in store.column("source")[inside]])
    if inside.size == 0:
        return []
    chosen = inside[choose_evenly(datasets, most)]
    pairs = store.read_some(chosen)
    same = np.eye(3, 4, dtype=np.float32)[None].repeat(2, axis=0)
    return [
        GroundPlace(
            name=f"{pairs.source[i]} at {pairs.row[i]}, {pairs.col[i]}",
            dataset=str(pairs.source[i]).split("/")[0],
            gsd_m=float(np.nan_to_num(pairs.gsd_m[i])),
            years=np.array([0.0, pairs.years[i]], float),
            images=np.stack([pairs.past[i], pairs.future[i]]),
            valid=pairs.valid[i][None].repeat(2, axis=0),
            colours=same,
            labels={},
        )
        for i in range(len(pairs))
    ]


def labels_of(place: PlaceSeries) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Labels of a place of four dates or more, as `GroundPlace` has them; none of others."""
    if len(place) < _LEAST_DATES:
        return {}
    cells = DatedCells.of_place(place)
    return {
        (start, end): _coded(label)
        for start, ends in pairs_of_dates(place.years, _HORIZONS)
        for end, label in label_start(cells, start, ends)
    }


def world_place(seed: int, *, size: int = 256) -> GroundPlace:
    """A simulated world with the labels that its covers tell.

    Half of the worlds have scenes of nine to twelve years, half of every second of some twenty.
    """
    rng = np.random.default_rng(seed)
    interval = int(rng.integers(1, 3))
    years = int(rng.integers(9, 13)) if interval == 1 else int(rng.integers(16, 21))
    config = draw_config(seed, height=size, width=size, years=years, interval=interval)
    world = simulate_world(config)
    images = np.stack([np.rint(255 * raster.data).astype(np.uint8) for raster in world.rasters])
    dates = np.array([raster.year for raster in world.rasters], dtype=float) + 0.5
    valid = np.stack([raster.valid for raster in world.rasters])
    place = PlaceSeries(f"world_{seed}", "worlds", "train", config.gsd_m, dates, images, valid)
    labels = {}
    for start, ends in pairs_of_dates(dates, _HORIZONS):
        for end in ends:
            before = [
                c for c, y in zip(world.covers, dates, strict=True) if _up_to(y, dates[start])
            ]
            after = [c for c, y in zip(world.covers, dates, strict=True) if _up_to(dates[end], y)]
            labels[start, end] = _coded(cover_changed_lastingly(before, after).astype(np.float32))
    return replace(GroundPlace.of(place, labels), gsd_m=float(config.gsd_m))


def _up_to(year: float, other: float) -> bool:
    """Whether a year is the other or one of the few before it that tell what lasts."""
    return 0 <= other - year < LASTS_YEARS


def _coded(label: NDArray[np.float32]) -> NDArray[np.uint8]:
    known = np.isfinite(label)
    coded = np.where(known, np.rint(254 * np.nan_to_num(label)), UNKNOWN)
    return coded.astype(np.uint8)
