"""What the training places look like, kept with a model so that it knows what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from forecast.network.patches import TILE_PX
from forecast.region.familiarity import Familiarity
from forecast.training.place_tensors import GroundPlace
from preprocessing.errors import NoValidPixelsError

__all__ = ["familiarity_of"]

_TILES = 2000
_TILES_A_PLACE = 100
_TRIALS = 10


def familiarity_of(
    places: Sequence[GroundPlace], *, tiles: int = _TILES, seed: int = 0
) -> Familiarity:
    """Measure tiles of places, every dataset counting alike.

    Args:
        places: Of training; those smaller than a tile are mirrored at their edges.
        tiles: How many, 100 a place at most, less those that have nodata.
        seed: Of the choice.

    Raises:
        NoValidPixelsError: No tile was found that is valid everywhere.
    """
    generator = np.random.default_rng(seed)
    by_dataset: dict[str, list[GroundPlace]] = {}
    for place in places:
        by_dataset.setdefault(place.dataset, []).append(_tile_large(place))
    names = sorted(by_dataset)
    images, gsd_m = [], []
    for number in range(min(tiles, _TILES_A_PLACE * len(places))):
        chosen = by_dataset[names[number % len(names)]]
        for _ in range(_TRIALS):
            place = chosen[int(generator.integers(len(chosen)))]
            date, height, width = place.valid.shape
            top, left = (int(generator.integers(size - TILE_PX + 1)) for size in (height, width))
            at = (slice(top, top + TILE_PX), slice(left, left + TILE_PX))
            when = int(generator.integers(date))
            if place.valid[when][at].all():
                images.append(place.images[(when, slice(None), *at)])
                gsd_m.append(place.gsd_m)
                break
    if not images:
        raise NoValidPixelsError(
            f"expected training places with tiles of {TILE_PX} px that are valid everywhere, found "
            f"none in {len(places)}; check nodata and masks"
        )
    return Familiarity.fit(torch.from_numpy(np.stack(images)), torch.tensor(gsd_m))


def _tile_large(place: GroundPlace) -> GroundPlace:
    add = [(0, max(0, TILE_PX - size)) for size in place.valid.shape[1:]]
    if not any(more for _, more in add):
        return place
    return replace(
        place,
        images=np.pad(place.images, [(0, 0), (0, 0), *add], mode="symmetric"),
        valid=np.pad(place.valid, [(0, 0), *add], mode="symmetric"),
    )
