"""What the training places look like, kept with a model so that it knows what it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from forecast.patches import TILE_PX
from forecast.states.familiarity import Familiarity
from forecast.training.ground import GroundPlace

__all__ = ["familiarity_of"]

_TILES = 2000
_TRIALS = 10


def familiarity_of(
    places: Sequence[GroundPlace], *, tiles: int = _TILES, seed: int = 0
) -> Familiarity:
    """Measure tiles of places, every dataset counting alike.

    Args:
        places: Of training; at least one is a tile large.
        tiles: How many, less those that have nodata.
        seed: Of the choice.
    """
    generator = np.random.default_rng(seed)
    by_dataset: dict[str, list[GroundPlace]] = {}
    for place in places:
        if min(place.valid.shape[1:]) >= TILE_PX:
            by_dataset.setdefault(place.dataset, []).append(place)
    names = sorted(by_dataset)
    images, gsd_m = [], []
    for number in range(tiles):
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
    return Familiarity.fit(torch.from_numpy(np.stack(images)), torch.tensor(gsd_m))
