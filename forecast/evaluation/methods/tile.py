"""An ensemble of one tile at one horizon: states and observations of them, without lifting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from forecast.hindcast.observations import ObservationModel
from forecast.hindcast.past import Past
from forecast.hindcast.past_events import kinds_of
from forecast.network.conditions import CONDITIONS
from forecast.network.patches import FACTOR
from forecast.network.unet import ChangeUNet
from forecast.region.analogues import Analogues
from forecast.region.change_allocation import event_levels, keep_corridors, parcels_of
from forecast.region.changes import Changes
from forecast.region.corridors import corridors_of
from forecast.region.earlier import EarlierCells
from forecast.region.familiarity import Familiarity, region_familiarity
from forecast.region.ground import start_cells
from forecast.region.objects import region_objects
from forecast.region.region_conditions import region_conditions, region_tone
from forecast.region.seen_again import SeenAgain
from forecast.region.tiled_inference import Noise, RegionNetwork, View
from forecast.start import DecodedImage, padded_start
from preprocessing.rasters.raster import Encoding

__all__ = ["TileEnsemble", "forecast_tile"]

_SEEN_YEAR = 1
"""Calendar year that the noise of observations belongs to."""


@dataclass(frozen=True)
class TileEnsemble:
    """A forecast of m members on the grid of cells.

    Attributes:
        states: `(m, 3, h, w)` float32, 0..1.
        observations: `(m, 3, h, w)` what a sensor may see of them.
        probability: `(h, w)` that the ground has changed lastingly.
    """

    states: NDArray[np.float32]
    observations: NDArray[np.float32]
    probability: NDArray[np.float32]


def forecast_tile(
    model: ChangeUNet,
    observations: ObservationModel,
    image: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    *,
    years: float,
    gsd_m: float | None,
    members: int,
    seed: int,
    familiarity: Familiarity | None = None,
) -> TileEnsemble:
    """Forecast a small picture straight to its horizon, as a region is forecast year by year.

    Args:
        model: In evaluation mode.
        observations: Of places with one image.
        image: `(3, height, width)`, without earlier dates; whole cells.
        valid: `(height, width)`.
        years: Horizon. What is longer than the longest of training is made of several.
        gsd_m: Metres per pixel; None where not known.
        members: Members.
        seed: Of the noise.
        familiarity: Of the model; None where it does not know what it has seen.
    """
    whole = padded_start(image, valid if valid.any() else np.ones_like(valid))
    start = DecodedImage(whole, Encoding())
    cells, seen = start_cells(start, valid)
    shape = (cells.shape[1], cells.shape[2])
    tone, nothing = region_tone(cells, seen), EarlierCells.none(shape)
    condition = np.empty((CONDITIONS, *shape), np.float16)
    region_conditions(cells, nothing, tone, condition)
    view = View(start, condition, tone)
    familiar, _ = region_familiarity(familiarity, start, gsd_m)
    objects = region_objects(start, tone)
    corridors = corridors_of(objects, cells, seen)
    contrast = float(tone.contrast[0])
    kinds = kinds_of(start, cells, contrast)
    analogues = Analogues(cells, seen, contrast, objects, corridors, kinds)
    parcels = parcels_of(objects, seen, gsd_m)
    network = RegionNetwork(model, height=shape[0], width=shape[1], gsd_m=gsd_m)
    inside = (..., slice(valid.shape[0] // FACTOR), slice(valid.shape[1] // FACTOR))
    past = Past(cells[None], seen[None], np.zeros(1))
    seen_again = SeenAgain.of_one_date(observations, past, years)
    states, observed, probability = [], [], np.zeros(shape, np.float32)
    for member in range(members):
        levels = event_levels(objects, seed=seed, member=member)
        keep_corridors(levels, corridors)
        changes, left = Changes.none(cells), years
        while left > 0:
            leg = min(left, float(network.longest_years))
            noise = Noise(seed, member)
            changes = changes.after(
                familiar * network.probability(view, leg, noise),
                partial(network.look, view, leg, noise),
                levels,
                parcels,
                analogues,
                seen=seen,
                seed=seed,
                member=member,
            )
            left -= leg
            if left > 0:
                changes = changes.next_leg()
        difference = seen_again.drawn(
            1,
            objects,
            nothing,
            cells,
            changes.changed,
            familiar,
            contrast,
            seed=seed,
            member=member,
            year=_SEEN_YEAR,
        )
        states.append(changes.colours[inside])
        observed.append(np.clip(changes.colours + difference, 0, 1)[inside])
        probability += changes.probability() / members
    return TileEnsemble(np.stack(states), np.stack(observed), probability[inside])
