"""What a region shows at its start, kept on disk for the members to start from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.hindcast.past_events import Events, kinds_of
from forecast.hindcast.quantity import Quantity
from forecast.hindcast.skill import UNTOLD, HindcastSkill
from forecast.network.conditions import CONDITIONS, TEXTURE_CHANNEL, Tone
from forecast.network.patches import FACTOR
from forecast.region.analogues import Analogues
from forecast.region.corridors import corridors_of
from forecast.region.earlier import EarlierCells, check_common_ground, read_earlier_cells
from forecast.region.familiarity import Familiarity, region_familiarity
from forecast.region.images import DatedImages
from forecast.region.objects import calm_inside, region_objects
from forecast.region.region_conditions import (
    anomaly_odds,
    region_conditions,
    region_tone,
)
from forecast.region.seen_again import SeenAgain
from forecast.region.tiled_inference import View
from forecast.region.windows import cut, in_pixels
from forecast.start import DecodedImage, read_start
from preprocessing.errors import RequestError
from preprocessing.rasters.raster import Encoding
from preprocessing.running.differences import Parts
from preprocessing.running.disk_space import Zeros, disk_zeros, mapped_array
from preprocessing.running.executor import in_threads
from preprocessing.running.files import write_text
from preprocessing.tiles.cells import cell_means, cells_valid

__all__ = [
    "EVENTS",
    "SKILL",
    "TAUGHT",
    "Ground",
    "prepare_ground",
    "start_cells",
    "write_asked",
    "write_ground",
]

_BLOCK = 256
_DONE, _ASKED = "ground.json", "asked.npy"
_LESS_INSIDE = 1.1
TAUGHT, EVENTS, SKILL = "taught", "events", "hindcast"


@dataclass(frozen=True)
class Ground:
    """A region at its start; arrays are memory maps where they grow with it.

    Attributes:
        view: What the network sees.
        cells: `(3, h, w)` means over cells of the padded start, 0..1.
        seen: `(h, w)` cells of the start that were seen whole.
        earlier: Earlier dates.
        objects: `(h, w)` from `region_objects`.
        corridors: `(h, w)` from `corridors_of`.
        anomaly: `(h, w)` from `anomaly_odds`.
        familiar: `(h, w)` from `region_familiarity`: 1 where the model has seen the like, below
            elsewhere.
        taught: `(y, h, w)` probability of lasting change by y whole years that the region's past
            teaches, see `forecast.region.local_calibration`; None where it taught nothing.
        events: What changed here before; None likewise.
        seen_again: How unchanged ground will be seen; None where no observations are asked for.
        skill: Of the hindcast on the region's past; None where there was none.
        quantity: How much of it changed so far; None where its past tells of no interval.
        stored: `(3, height, width)` stored values, gaps filled.
        encoding: How these are stored.
        outside: Share of the region that is outside what the model has seen; None where the model
            does not say what it has seen.
        left_out: A sentence for each earlier image that could not be used.
        kinds: `(h * w, 5)` from `kinds_of`.
        asked: `(h, w)` cells that the forecast tells of; None where all are.
        folder: Where it lies.
        written: When it was, in nanoseconds.
    """

    view: View
    cells: NDArray[np.float32]
    seen: NDArray[np.bool_]
    earlier: EarlierCells
    objects: NDArray[np.int64]
    corridors: NDArray[np.bool_]
    anomaly: NDArray[np.float32]
    familiar: NDArray[np.float32]
    taught: NDArray[np.float16] | None
    events: Events | None
    seen_again: SeenAgain | None
    skill: HindcastSkill | None
    quantity: Quantity | None
    stored: NDArray[Any]
    encoding: Encoding
    outside: float | None
    left_out: tuple[str, ...]
    kinds: NDArray[np.float32]
    asked: NDArray[np.bool_] | None
    folder: Path
    written: int

    @property
    def zeros(self) -> Zeros:
        """Makes planes on the disk of the region."""
        return disk_zeros(self.folder)

    def ensure_current(self) -> None:
        """A worker that outlived its run must not write into that of another.

        Raises:
            RequestError: The ground was removed or made anew since.
        """
        if _written(self.folder) != self.written:
            raise RequestError(
                f"expected the forecast in {self.folder} to go on, it was begun anew"
            )

    @property
    def weight(self) -> float:
        """Of what the region's past teaches in the log odds of change; the model has the rest."""
        if self.taught is None or self.quantity is None:
            return 0.0
        return (UNTOLD if self.skill is None else self.skill.trust) * self.quantity.lasting

    def gain(self, rows: slice) -> NDArray[np.float32]:
        """What log odds of change gain `(rows, w)` within the region; decision 25.

        Rare ground changes more; calm ground far inside objects less, where it was seen once.
        """
        gain = np.array(self.anomaly[rows])
        if not len(self.earlier.years):
            texture = self.view.conditions[TEXTURE_CHANNEL]
            gain -= _LESS_INSIDE * calm_inside(self.objects, texture, rows)
        return gain

    @cached_property
    def analogues(self) -> Analogues:
        """Ground of the start that changed ground can look like."""
        contrast = float(self.view.tone.contrast[0])
        return Analogues(
            self.cells,
            self.seen,
            contrast,
            self.objects,
            self.corridors,
            self.kinds,
            self.events,
        )

    @classmethod
    def open(cls, folder: Path, encoding: Encoding) -> Ground:
        """Open what `prepare_ground` left in a folder."""
        stored = json.loads((folder / _DONE).read_text(encoding="utf-8"))
        tone = Tone(torch.tensor([stored["mean"]]), torch.tensor([stored["contrast"]]))

        def plane(name: str) -> NDArray[Any]:
            return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))

        start = np.load(folder / "start.npy", mmap_mode="r")
        height, width = np.load(folder / "valid.npy", mmap_mode="r").shape
        return cls(
            view=View(DecodedImage(start, encoding), plane("conditions"), tone),
            cells=plane("cells"),
            seen=plane("seen"),
            earlier=EarlierCells.load(folder),
            objects=plane("objects"),
            corridors=plane("corridors"),
            anomaly=plane("anomaly"),
            familiar=plane("familiar"),
            taught=plane(TAUGHT) if (folder / f"{TAUGHT}.npy").exists() else None,
            events=Events.load(folder / f"{EVENTS}.npz"),
            seen_again=SeenAgain.open(folder),
            skill=_skill(folder / f"{SKILL}.json"),
            quantity=Quantity.load(folder),
            stored=start[:, :height, :width],
            encoding=encoding,
            outside=stored["outside"],
            left_out=tuple(stored["left_out"]),
            kinds=plane("kinds"),
            asked=np.load(folder / _ASKED, mmap_mode="r") if (folder / _ASKED).exists() else None,
            folder=folder,
            written=_written(folder),
        )


def prepare_ground(
    images: DatedImages,
    folder: Path,
    familiarity: Familiarity | None = None,
    tick: Callable[[], None] | None = None,
    *,
    threads: int = 1,
) -> tuple[Ground, NDArray[np.bool_]]:
    """Read the images of a region into a folder; what is there already is kept.

    Args:
        images: Start and history.
        folder: Existing folder.
        familiarity: Of the model; None where it does not know what it has seen.
        tick: Called after each block of the start.
        threads: Images and blocks that are worked on side by side.

    Returns:
        The ground, and the validity `(height, width)` of the start.

    Raises:
        NoValidPixelsError: Every pixel of the start is nodata.
        RequestError: See `read_earlier_cells`.
    """
    encoding = images.start.encoding
    if (folder / _DONE).exists():
        return Ground.open(folder, encoding), np.load(folder / "valid.npy", mmap_mode="r")
    start = images.start
    check_common_ground(start, [image.source for image in images.earlier])
    image, valid = read_start(start, folder, tick, threads=threads)
    cells, seen = start_cells(image, valid, zeros=disk_zeros(folder))
    look_back = partial(
        read_earlier_cells, start, images.earlier, cells, seen, folder, threads=threads
    )
    write_ground(
        folder, image, cells, seen, look_back, start.grid.gsd_m, familiarity, threads=threads
    )
    return Ground.open(folder, encoding), valid


def write_asked(ground: Ground, valid: NDArray[np.bool_]) -> None:
    """Keep which cells a forecast tells of: those with a pixel `(height, width)` that is valid."""
    asked = ground.zeros(ground.seen.shape, np.bool_)
    height, width = ground.seen.shape
    for window in cut(height, width, _BLOCK):
        part = valid[in_pixels(window).slices]
        down, across = ((0, -size % FACTOR) for size in part.shape)
        whole = np.pad(part, (down, across))
        cells = whole.reshape(len(whole) // FACTOR, FACTOR, -1, FACTOR).any(axis=(1, 3))
        asked[window.slices][: cells.shape[0], : cells.shape[1]] = cells
    np.save(ground.folder / _ASKED, asked)


def _written(folder: Path) -> int:
    path = folder / _DONE
    return path.stat().st_mtime_ns if path.exists() else 0


def _skill(path: Path) -> HindcastSkill | None:
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return None if stored is None else HindcastSkill(**stored)


def write_ground(
    folder: Path,
    image: Parts,
    cells: NDArray[np.float32],
    seen: NDArray[np.bool_],
    look_back: Callable[[], tuple[EarlierCells, Sequence[str]]],
    gsd_m: float | None,
    familiarity: Familiarity | None,
    *,
    threads: int = 1,
) -> None:
    """Find out what a region shows, and write it beside its start.

    Args:
        folder: With the start (`start.npy`, `valid.npy`), as `read_start` leaves it.
        image: `(3, 4 * h, 4 * w)` the start, 0..1, padded.
        cells: From `start_cells`.
        seen: Likewise.
        look_back: Gives earlier dates, and why others are left out.
        gsd_m: Metres per pixel; None where not known.
        familiarity: Of the model.
        threads: See `prepare_ground`.
    """
    zeros = disk_zeros(folder)
    tone = region_tone(cells, seen, zeros=zeros)

    def look_around() -> tuple[NDArray[np.float32], float | None, NDArray[np.int64]]:
        familiar, outside = region_familiarity(
            familiarity, image, gsd_m, threads=threads, zeros=zeros
        )
        return familiar, outside, region_objects(image, tone, threads=threads, zeros=zeros)

    # Neither needs the other; while one finds out something of the whole, the other goes on.
    both: Sequence[Callable[[], Any]] = [look_back, look_around]
    (earlier, left_out), (familiar, outside, objects) = in_threads(
        lambda look: look(), both, min(threads, len(both))
    )
    earlier.save(folder)
    planes = {"cells": cells, "seen": seen, "objects": objects, "familiar": familiar}
    for name, plane in planes.items():
        np.save(folder / f"{name}.npy", plane)
    conditions = (CONDITIONS, *cells.shape[1:])
    writes: Sequence[Callable[[], None]] = [
        lambda: np.save(
            folder / "corridors.npy",
            corridors_of(objects, cells, seen, threads=threads, zeros=zeros),
        ),
        lambda: np.save(
            folder / "kinds.npy", kinds_of(image, cells, float(tone.contrast[0]), zeros=zeros)
        ),
        lambda: region_conditions(
            cells, earlier, tone, mapped_array(folder / "conditions.npy", np.float16, conditions)
        ),
        lambda: np.save(folder / "anomaly.npy", anomaly_odds(cells, seen, tone, zeros=zeros)),
    ]
    list(in_threads(lambda write: write(), writes, min(threads, len(writes))))
    summary = {
        "mean": tone.mean[0].tolist(),
        "contrast": float(tone.contrast[0]),
        "outside": outside,
        "left_out": list(left_out),
    }
    write_text(folder / _DONE, json.dumps(summary))


def start_cells(
    image: Parts, valid: NDArray[np.bool_], *, zeros: Zeros = np.zeros
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Means over the cells of a padded start, and which of them were seen whole.

    Args:
        image: `(3, 4 * h, 4 * w)`, 0..1.
        valid: `(height, width)` of its own grid.
        zeros: Makes planes, on the disk where they are large.

    Returns:
        `(3, h, w)` and `(h, w)`.
    """
    height, width = image.shape[1] // FACTOR, image.shape[2] // FACTOR
    cells, seen = zeros((3, height, width), np.float32), zeros((height, width), np.bool_)
    for window in cut(height, width, _BLOCK):
        pixels = in_pixels(window).slices
        cells[(slice(None), *window.slices)] = cell_means(image[(slice(None), *pixels)])
        whole = cells_valid(valid[pixels])
        seen[window.slices][: whole.shape[0], : whole.shape[1]] = whole
    return cells, seen
