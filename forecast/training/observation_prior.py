"""How ground of the training places was seen again: what a place's own past is drawn towards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from forecast.hindcast.observations import ObservationModel, Outcome, outcome
from forecast.hindcast.past import Past
from forecast.training.place_tensors import GroundPlace
from preprocessing.tiles.cells import cell_means, cells_valid

__all__ = ["observation_prior"]

_PAIRS, _ROWS = 12, 1500
_PLACES = 30
_LONGEST_YEARS = 13.0
_FEW = (1, 2)
"""Earlier dates that half of the pairs know; the others know all."""
_SIMULATED = "worlds"


def observation_prior(
    places: Sequence[GroundPlace], *, alone: bool = False, seed: int = 0
) -> ObservationModel | None:
    """Fit the model of observations to pairs of dates of the places, every dataset counting alike.

    Args:
        places: Of training; simulated worlds are left out where there are others, at most 30 of a
            dataset are taken.
        alone: Pairs know no earlier dates: the model of a place with one image.
        seed: Of the sample.

    Returns:
        None where no place has dates enough that show the same ground: three, or two if `alone`.
    """
    generator = np.random.default_rng(seed)
    outcomes: list[Outcome] = []
    whose: list[str] = []
    for place in _chosen(places, 2 if alone else 3):
        past = _past(place)
        ahead = past.years[None] - past.years[:, None]
        if not alone:
            ahead[0] = 0
        pairs = np.argwhere((ahead > 0) & (ahead <= _LONGEST_YEARS))
        if len(pairs) > _PAIRS:
            pairs = pairs[generator.choice(len(pairs), _PAIRS, replace=False)]
        for start, end in pairs:
            earlier = 0 if alone else min(start, int(generator.choice([*_FEW, start, start])))
            found = outcome(past, start, end, generator, first=start - earlier, rows=_ROWS)
            if found is not None:
                outcomes.append(found)
                whose.append(place.dataset)
    if not outcomes:
        return None
    count = Counter(whose)
    return ObservationModel.of_outcomes(outcomes, [1 / count[name] for name in whose])


def _chosen(places: Sequence[GroundPlace], dates: int) -> list[GroundPlace]:
    by_dataset: dict[str, list[GroundPlace]] = {}
    for place in places:
        if len(place.years) >= dates:
            by_dataset.setdefault(place.dataset, []).append(place)
    if len(by_dataset) > 1:
        by_dataset.pop(_SIMULATED, None)
    return [place for found in by_dataset.values() for place in found[:: -(-len(found) // _PLACES)]]


def _past(place: GroundPlace) -> Past:
    """All dates in the colours of the last."""
    cells = np.stack([cell_means(image.astype(np.float32) / 255) for image in place.images])
    mapped = np.einsum("dij,djhw->dihw", place.colours[..., :3], cells)
    mapped += place.colours[..., 3, None, None]
    known = np.stack([cells_valid(valid) for valid in place.valid])
    return Past(mapped.astype(np.float32), known, place.years)
