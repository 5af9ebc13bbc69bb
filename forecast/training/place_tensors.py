"""Series of many places as flat tensors on one device, from which batches are gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.network.patches import FACTOR, TILE_PX
from preprocessing.tiles.cells import cell_means, cells_valid

if TYPE_CHECKING:
    from preprocessing.series import PlaceSeries

__all__ = ["UNKNOWN", "Ground", "GroundPlace"]

UNKNOWN = 255
"""Label of a cell of which nothing is known; others are probabilities times 254."""


@dataclass(frozen=True)
class GroundPlace:
    """A place as training takes it.

    Attributes:
        name: Of the place.
        dataset: It belongs to.
        gsd_m: Metres per pixel, 0 where not known.
        years: `(d,)` decimal years, ascending.
        images: `(d, 3, H, W)` uint8 in their own colours, H and W multiples of 4.
        valid: `(d, H, W)` bool.
        colours: `(d, 3, 4)` affine maps that give each date the colours of the last, of 0..1:
            three columns of a matrix and an offset.
        labels: By (start, end), indices of dates: `(H / 4, W / 4)` uint8 probabilities of lasting
            change times 254, or `UNKNOWN`.
    """

    name: str
    dataset: str
    gsd_m: float
    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    colours: NDArray[np.float32]
    labels: Mapping[tuple[int, int], NDArray[np.uint8]]

    @classmethod
    def of(
        cls, place: PlaceSeries, labels: Mapping[tuple[int, int], NDArray[np.uint8]]
    ) -> GroundPlace:
        """A place of a store; dates whose colours cannot be brought to the last are invalid."""
        valid = place.valid.copy()
        colours = np.zeros((len(place), 3, 4), np.float32)
        for date, found in enumerate(place.colour_maps(-1)):
            if found is None:
                valid[date] = False
                colours[date, :, :3] = np.eye(3)
            else:
                colours[date, :, :3] = found.matrix
                offset = found.reference_mean - found.matrix @ found.moving_mean
                colours[date, :, 3] = offset / 255
        gsd_m = float(np.nan_to_num(place.gsd_m))
        return cls(
            place.name, place.dataset, gsd_m, place.years, place.images, valid, colours, labels
        )


@dataclass(frozen=True)
class Ground:
    """All dates of all places, one after the other; n dates, p places, l labels.

    Attributes:
        pixels: Flat uint8, `(3, H, W)` a date.
        cells: Flat uint8, `(3, H / 4, W / 4)` a date, means rounded.
        known: Flat bool, `(H / 4, W / 4)` a date.
        labels: Flat uint8, likewise a label.
        pixels_at, cells_at, known_at: `(n,)` where a date begins.
        labels_at: `(l,)` where a label begins.
        years: `(n,)` decimal years.
        mean, covariance: `(n, 3)`, `(n, 3, 3)` of the valid cells of a date, 0..1.
        first, count: `(p,)` first date of a place and number of its dates.
        height, width: `(p,)` in cells.
        gsd_m: `(p,)`.
        colours: `(n, 3, 4)` to the colours of the last date of the place, of 0..1.
    """

    pixels: Tensor
    cells: Tensor
    known: Tensor
    labels: Tensor
    pixels_at: Tensor
    cells_at: Tensor
    known_at: Tensor
    labels_at: Tensor
    years: Tensor
    mean: Tensor
    covariance: Tensor
    first: Tensor
    count: Tensor
    height: Tensor
    width: Tensor
    gsd_m: Tensor
    colours: Tensor

    def to(self, device: torch.device) -> Ground:
        """The same on a device."""
        return Ground(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @classmethod
    def of(cls, places: Sequence[GroundPlace]) -> Ground:
        """Lay places out one after the other."""
        parts: dict[str, list[NDArray[np.generic]]] = {f.name: [] for f in fields(cls)}
        starts = dict.fromkeys(("pixels", "cells", "known", "labels", "dates"), 0)

        def put(name: str, values: NDArray[np.generic]) -> None:
            parts[name].append(values.ravel())
            starts[name] += values.size

        for place in places:
            images, valid = _padded(place)
            dates, _, height, width = images.shape
            cells = np.stack([cell_means(image) for image in images])
            known = cells_valid(valid)
            for name, value in (
                ("first", starts["dates"]),
                ("count", dates),
                ("height", height // FACTOR),
                ("width", width // FACTOR),
            ):
                parts[name].append(np.array([value], dtype=np.int64))
            parts["gsd_m"].append(np.array([place.gsd_m], dtype=np.float32))
            for date in range(dates):
                parts["pixels_at"].append(np.array([starts["pixels"]]))
                parts["cells_at"].append(np.array([starts["cells"]]))
                parts["known_at"].append(np.array([starts["known"]]))
                put("pixels", images[date])
                put("cells", cells[date].round().astype(np.uint8))
                put("known", known[date])
                flat = cells[date][:, known[date]] / 255
                some = flat if flat.shape[1] > 1 else np.full((3, 2), 0.5, np.float32)
                parts["mean"].append(some.mean(axis=1)[None].astype(np.float32))
                parts["covariance"].append(np.cov(some)[None].astype(np.float32))
            parts["years"].append(place.years.astype(np.float64))
            parts["colours"].append(place.colours.astype(np.float32))
            starts["dates"] += dates
            for label in place.labels.values():
                grid = np.full((height // FACTOR, width // FACTOR), UNKNOWN, np.uint8)
                grid[: label.shape[0], : label.shape[1]] = label
                parts["labels_at"].append(np.array([starts["labels"]]))
                put("labels", grid)
        joined = {
            name: torch.from_numpy(np.concatenate(values) if values else np.zeros(0, np.uint8))
            for name, values in parts.items()
        }
        return cls(**joined)


def _padded(place: GroundPlace) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Images of a tile's size or larger; what is not valid gets the mean colour of its date."""
    height, width = place.images.shape[-2:]
    add = [(0, max(0, TILE_PX - size) + -size % FACTOR) for size in (height, width)]
    images = np.pad(place.images, [(0, 0), (0, 0), *add])
    valid = np.pad(place.valid, [(0, 0), *add])
    for image, seen in zip(images, valid, strict=True):
        if seen.any() and not seen.all():
            image[:, ~seen] = image[:, seen].mean(axis=1).round().astype(np.uint8)[:, None]
    return images, valid
