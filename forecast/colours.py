"""Colours that land has: a forecast may change a field's colour, but to one that fields have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import ndimage
from torch import Tensor

from forecast.objects import over_objects
from preprocessing.errors import ModelFolderError
from preprocessing.files import sha256, share_weights

if TYPE_CHECKING:
    from forecast.training.data import PairData

__all__ = ["Colours", "LandColours", "colours_sha256", "kept_to"]

_FILE = "colours.safetensors"
_LEVELS = 64
"""Cells along each band: 4 grey levels of 255 wide."""
_LEAST_SHARE = 1e-5
"""Of the training pixels of a dataset: rarer colours are noise, cars, broken pixels."""
_PAIRS = 256
_AT_ONCE = 2**18
_NEIGHBOUR = math.sqrt(3) + 0.01
"""Distance, in cells, of cells that touch at a corner."""


@dataclass(frozen=True)
class Colours:
    """A set of colours, as cells of the cube of red, green and blue.

    Attributes:
        cells: `(64, 64, 64)` bool.
    """

    cells: NDArray[np.bool_]

    @classmethod
    def of(cls, image: Tensor, *, least_share: float = 0.0) -> Colours:
        """The colours of an image `(3, ...)` in 0..1, those of at least a share of its pixels."""
        values = image.flatten(1).numpy()
        counts = np.zeros(_LEVELS**3, np.int64)
        for part in _parts(values.shape[1]):
            index = np.ravel_multi_index(tuple(_cell(values[:, part])), (_LEVELS,) * 3)
            counts += np.bincount(index, minlength=_LEVELS**3)
        least = max(0.0, least_share * values.shape[1] - 0.5)
        return cls((counts > least).reshape((_LEVELS,) * 3))

    def __or__(self, other: Colours) -> Colours:
        return Colours(self.cells | other.cells)

    def nearest(self, image: Tensor) -> Tensor:
        """Colours `(3, ...)`, those outside of the set replaced by the middle of the nearest cell.

        A colour in a neighbour of a cell of the set is near enough and stays.
        """
        moved = image.flatten(1).numpy().copy()
        distance, nearest = self._search
        for part in _parts(moved.shape[1]):
            at = tuple(_cell(moved[:, part]))
            middle = (nearest[(slice(None), *at)] + 0.5) / _LEVELS
            moved[:, part] = np.where(distance[at] > _NEIGHBOUR, middle, moved[:, part])
        return torch.from_numpy(moved).view_as(image)

    @cached_property
    def _search(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """For each cell the distance to the nearest one of the set, and which that is."""
        return ndimage.distance_transform_edt(~self.cells, return_indices=True)  # type: ignore[no-any-return]


def kept_to(colours: Colours, change: Tensor, present: Tensor, labels: Tensor) -> Tensor:
    """A change after which objects have colours of the set.

    A network that answers with a colour between two that are likely may paint one that no land
    has. The mean colour of an object after the change is moved to the nearest of the set, by no
    more than the object changes at all; all of its pixels are moved alike.

    Args:
        colours: That the region or land like it has.
        change: `(3, h, w)`, future minus present, in units of 0..1.
        present: `(3, h, w)`.
        labels: `(1, h, w)` int64, the object of each pixel; without it (`(0, h, w)`) each pixel is
            one.

    Returns:
        `(3, h, w)`.
    """
    before, moved = present, change
    if len(labels):
        before, moved = (over_objects(x[None], labels[None])[0] for x in (present, change))
    after = before + moved
    back = colours.nearest(after) - after
    length, most = (x.square().sum(dim=0, keepdim=True).sqrt() for x in (back, moved))
    return change + back * (most / length.clamp_min(1e-9)).clamp_max(1.0)


@dataclass(frozen=True)
class LandColours:
    """Colours of the training images, by their resolution.

    Attributes:
        gsd_m: Metres per pixel of each set; 0 where not known.
        sets: The colours.
    """

    gsd_m: tuple[float, ...]
    sets: tuple[Colours, ...]

    @classmethod
    def fit(cls, data: PairData, *, factor: int) -> LandColours:
        """Collect the colours of block means over `factor` x `factor` pixels, past and future."""
        generator = np.random.default_rng(0)
        known = np.round(np.nan_to_num(data.index.gsd_m), 1)
        gsd_m, sets = [], []
        for dataset in data.counts:
            for gsd in np.unique(known[data.index.dataset == dataset]):
                index = np.flatnonzero((data.index.dataset == dataset) & (known == gsd))
                if len(index) > _PAIRS:
                    index = np.sort(generator.choice(index, _PAIRS, replace=False))
                gsd_m.append(float(gsd))
                pixels = data.colours(index, factor=factor)
                sets.append(Colours.of(pixels, least_share=_LEAST_SHARE))
        return cls(tuple(gsd_m), tuple(sets))

    def at(self, gsd_m: float) -> Colours:
        """Those of the nearest resolution (in the logarithm); of all where it is not known."""
        known = [g for g in self.gsd_m if g > 0]
        if gsd_m <= 0 or not known:
            chosen = list(self.sets)
        else:
            best = min(known, key=lambda g: abs(math.log(g / gsd_m)))
            chosen = [s for g, s in zip(self.gsd_m, self.sets, strict=True) if g == best]
        return Colours(np.logical_or.reduce([one.cells for one in chosen]))

    def save(self, folder: Path) -> None:
        """Write into a model folder."""
        packed = np.stack([np.packbits(one.cells) for one in self.sets])
        save_file({"cells": packed, "gsd_m": np.array(self.gsd_m, np.float32)}, folder / _FILE)
        share_weights(folder)

    @classmethod
    def load(cls, folder: Path) -> LandColours | None:
        """Read from a model folder; None where it has none, as older ones.

        Raises:
            ModelFolderError: The file is damaged.
        """
        path = folder / _FILE
        if not path.is_file():
            return None
        try:
            stored = load_file(path)
            shape = (_LEVELS,) * 3
            sets = [np.unpackbits(row).astype(bool).reshape(shape) for row in stored["cells"]]
        except (SafetensorError, KeyError, ValueError) as err:
            raise ModelFolderError(
                f"expected sets of colours in {path}, it cannot be read ({err}); export the model "
                "again with 'landcast train'"
            ) from err
        return cls(tuple(stored["gsd_m"].tolist()), tuple(Colours(cells) for cells in sets))


def colours_sha256(folder: Path) -> str | None:
    """Hexadecimal SHA-256 of a model folder's colours; None where it has none."""
    path = folder / _FILE
    return sha256(path) if path.is_file() else None


def _parts(count: int) -> Iterator[slice]:
    """Pixels a few at a time: the indices of a cell take many times the memory of a pixel."""
    return (slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE))


def _cell(values: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.clip((values * _LEVELS).astype(np.intp), 0, _LEVELS - 1)
