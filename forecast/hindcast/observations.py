"""How ground that does not change will be seen: a mean and a spread, by how it was seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.hindcast.intervals import sampled_blocks
from forecast.hindcast.looks import LOCATIONS, SCALES, EarlierLooks
from forecast.hindcast.past import Past
from preprocessing.errors import ModelFolderError
from preprocessing.rasters.window import Window
from preprocessing.running.files import write_text

__all__ = [
    "ObservationModel",
    "ObservationModels",
    "Outcome",
    "laplace_crps",
    "outcome",
    "regional_sizes",
]

_FILE, _ALONE = "observations.json", "observations_alone.json"
_LONGEST_YEARS = 13.0
_PAIRS, _ROWS, _BLOCKS = 60, 800, 6
_SHRINKAGE, _POWER = 3.0, 1.5
_OF_LOCATION, _OF_REGION = 0.3, 5.0
_REGIONAL = (1, 7, 8)
"""Columns of the scale that are the same over a region: a pair of dates tells each but once."""
_TELLING = 2
"""Dates at the end of an interval that tell what changed lastingly; that ground does not count."""
_STEPS = 60
_LEAST_LOG, _MOST_LOG = -5.0, 2.0


@dataclass(frozen=True)
class Outcome:
    """Cells of a start, and how they were seen later, in units of the region's contrast.

    Attributes:
        location: `(n, LOCATIONS)` from `EarlierLooks.columns`, one row a cell and band.
        scale: `(n, SCALES)` likewise.
        difference: `(n,)` of the later image to the start.
    """

    location: NDArray[np.float32]
    scale: NDArray[np.float32]
    difference: NDArray[np.float32]


@dataclass(frozen=True)
class ObservationModel:
    """Laplace distributions whose mean and log scale are linear in what was seen before.

    Nonhomogeneous regression with the CRPS as its loss (Gneiting et al. 2005). The model of all
    training places is the prior of a place's own: coefficients are drawn towards it the less, the
    more pairs of dates the place has.

    Attributes:
        location: `(LOCATIONS,)` coefficients of the mean, of columns in units of `location_unit`.
        scale: `(SCALES,)` coefficients of the log scale, of columns less `scale_mean` in units of
            `scale_unit`.
        location_unit: `(LOCATIONS,)`.
        scale_mean: `(SCALES,)`.
        scale_unit: `(SCALES,)`.
    """

    location: tuple[float, ...]
    scale: tuple[float, ...]
    location_unit: tuple[float, ...]
    scale_mean: tuple[float, ...]
    scale_unit: tuple[float, ...]

    @classmethod
    def of_outcomes(
        cls, outcomes: Sequence[Outcome], weights: Sequence[float], *, steps: int = 300
    ) -> ObservationModel:
        """The model of many places; a weight for each outcome."""
        location = np.concatenate([found.location for found in outcomes])
        scale = np.concatenate([found.scale for found in outcomes])
        unit, mean, spread = location.std(axis=0), scale.mean(axis=0), scale.std(axis=0)
        mean[0], spread[0] = 0, 1
        start = cls(
            (0.0,) * LOCATIONS,
            (-1.0,) + (0.0,) * (SCALES - 1),
            tuple(np.maximum(unit, 1e-3).tolist()),
            tuple(mean.tolist()),
            tuple(np.where(spread > 1e-6, spread, 1).tolist()),
        )
        return start._fitted(outcomes, weights, np.full(LOCATIONS + SCALES, 1e-4), steps)

    def taught_by(self, past: Past, *, seed: int = 0) -> ObservationModel:
        """The same, drawn towards what the past of a region tells.

        Args:
            past: Up to the start of the forecast.
            seed: Of the sample of pairs of dates and of cells.
        """
        dates = range(len(past))
        ahead = past.years[None] - past.years[:, None]
        pairs = [(s, e) for s in dates for e in dates if 0 < ahead[s, e] <= _LONGEST_YEARS]
        generator = np.random.default_rng(seed)
        if len(pairs) > _PAIRS:
            chosen = np.sort(generator.choice(len(pairs), _PAIRS, replace=False))
            pairs = [pairs[number] for number in chosen]
        found = [outcome(past, start, end, generator) for start, end in pairs]
        outcomes = [rows for rows in found if rows is not None]
        if not outcomes:
            return self
        strength = np.full(LOCATIONS + SCALES, _SHRINKAGE / len(outcomes) ** _POWER)
        strength[:LOCATIONS] *= _OF_LOCATION
        strength[[LOCATIONS + column for column in _REGIONAL]] *= _OF_REGION
        return self._fitted(outcomes, np.ones(len(outcomes)), strength, _STEPS)

    def of_block(
        self,
        past: Past,
        window: Window,
        years: Sequence[float],
        sizes: Sequence[tuple[float, float]],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How the last date of a past will be seen some years later, where it does not change.

        Args:
            past: Of the region.
            window: A block of it.
            years: Horizons.
            sizes: From `regional_sizes`.

        Returns:
            Mean difference to the last date and scale of the Laplace distribution around it, both
            `(y, 3, h, w)` of 0..1.
        """
        tone = past.tone()
        looks = EarlierLooks.of_block(past, window, tone)
        slopes = (
            np.divide(self.location, self.location_unit),
            np.divide(self.scale, self.scale_unit),
        )
        means, scales = [], []
        for horizon, size in zip(years, sizes, strict=True):
            location, scale = looks.columns(horizon, size)
            means.append(np.einsum("kchw,k->chw", location, slopes[0]))
            centred = scale - np.reshape(self.scale_mean, (-1, 1, 1, 1))
            logs = np.einsum("kchw,k->chw", centred, slopes[1])
            scales.append(np.exp(np.clip(logs, _LEAST_LOG, _MOST_LOG)))
        contrast = float(tone.contrast[0])
        return (
            (contrast * np.stack(means)).astype(np.float32),
            (contrast * np.stack(scales)).astype(np.float32),
        )

    def save(self, folder: Path, *, alone: bool = False) -> None:
        """Write into a model folder; `alone` that of places with one image."""
        write_text(folder / (_ALONE if alone else _FILE), json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path, *, alone: bool = False) -> ObservationModel | None:
        """Read from a model folder; None where it has none.

        Raises:
            ModelFolderError: It is damaged.
        """
        path = folder / (_ALONE if alone else _FILE)
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: tuple(values) for name, values in stored.items()})
        except (OSError, ValueError, TypeError, AttributeError) as err:
            raise ModelFolderError(
                f"expected how ground is seen again in {path}, it is damaged ({err}); train the "
                "model again"
            ) from err

    def _fitted(
        self,
        outcomes: Sequence[Outcome],
        weights: Sequence[float] | NDArray[np.float64],
        strength: NDArray[np.float64],
        steps: int,
    ) -> ObservationModel:
        """Least mean CRPS plus squared distance from this model; every outcome counts alike.

        Args:
            outcomes: In units of contrast.
            weights: One each.
            strength: `(LOCATIONS + SCALES,)` of the distance.
            steps: Of L-BFGS, at most.
        """
        location = _tensor([rows.location / self.location_unit for rows in outcomes])
        scale = _tensor([(rows.scale - self.scale_mean) / self.scale_unit for rows in outcomes])
        truth = _tensor([rows.difference for rows in outcomes])
        shares = [
            np.full(len(rows.difference), weight / len(rows.difference) / _size(rows))
            for rows, weight in zip(outcomes, weights, strict=True)
        ]
        share = _tensor(shares)
        share = share / share.sum()
        prior = torch.tensor([*self.location, *self.scale], dtype=torch.float64)
        found = prior.clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS(
            [found], max_iter=steps, history_size=20, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            logs = (scale @ found[LOCATIONS:]).clamp(_LEAST_LOG, _MOST_LOG)
            crps = laplace_crps(truth - location @ found[:LOCATIONS], logs.exp())
            total = (share * crps).sum()
            total = total + (torch.from_numpy(strength) * (found - prior) ** 2).sum()
            total.backward()  # type: ignore[no-untyped-call]
            return total

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        values = found.detach().tolist()
        return ObservationModel(
            tuple(values[:LOCATIONS]),
            tuple(values[LOCATIONS:]),
            self.location_unit,
            self.scale_mean,
            self.scale_unit,
        )


@dataclass(frozen=True)
class ObservationModels:
    """What a model folder tells of how ground is seen.

    Attributes:
        alone: Of places with one image.
        again: Of places with earlier dates; None where training had no place of three dates.
    """

    alone: ObservationModel
    again: ObservationModel | None

    @classmethod
    def load(cls, folder: Path) -> ObservationModels:
        """Read from a model folder.

        Raises:
            ModelFolderError: It is damaged, or tells nothing of places with one image.
        """
        alone, again = (ObservationModel.load(folder, alone=alone) for alone in (True, False))
        if alone is None:
            raise ModelFolderError(
                f"expected how ground is seen another day in {folder / _ALONE}, there is no such "
                "file; train the model again, or forecast without observations"
            )
        return cls(alone, again)

    def of_past(self, past: Past, *, seed: int, taught: bool = True) -> ObservationModel:
        """The model of a region, `taught` by its past where it has one."""
        if len(past) == 1 or self.again is None:
            return self.alone
        return self.again.taught_by(past, seed=seed) if taught else self.again


def laplace_crps(error: Tensor, scale: Tensor) -> Tensor:
    """CRPS of Laplace distributions whose mean is off by an error (Jordan et al. 2019)."""
    size = error.abs()
    return size + scale * torch.exp(-size / scale) - 0.75 * scale


def outcome(
    past: Past,
    start: int,
    end: int,
    generator: np.random.Generator,
    *,
    first: int = 0,
    rows: int = _ROWS,
) -> Outcome | None:
    """How cells of one date of a region that did not change were seen at a later one.

    The later image is matched to the start by histogram, as images that are compared with
    forecasts are.

    Args:
        past: All dates tell what changed.
        start: Of the dates.
        end: Likewise, later.
        generator: Of the sample of cells.
        first: Date from which on looks are known.
        rows: Cells, at most.

    Returns:
        Some cells, each band a row; None where no cell was seen at both.
    """
    until = past.until(start, first)
    tone = until.tone()
    years = float(past.years[end] - past.years[start])
    blocks = _blocks(past)
    looks = [EarlierLooks.of_block(until, window, tone) for window in blocks]
    sizes = _mean_sizes(looks, years)
    locations, scales, before, after = [], [], [], []
    for window, look in zip(blocks, looks, strict=True):
        here = past.block(window.slices)
        stayed = here.known[start] & here.known[end]
        if past.dates_after(end) >= _TELLING:
            changed, known = here.changed(start, end)
            stayed &= ~(changed & known)
        cells = np.flatnonzero(stayed)
        most = max(1, rows // len(blocks))
        if len(cells) > most:
            cells = generator.choice(cells, most, replace=False)
        location, scale = look.columns(years, sizes)
        locations.append(location.reshape(LOCATIONS, 3, -1)[..., cells])
        scales.append(scale.reshape(SCALES, 3, -1)[..., cells])
        before.append(here.cells[start].reshape(3, -1)[:, cells])
        after.append(here.cells[end].reshape(3, -1)[:, cells])
    now, later = np.concatenate(before, axis=1), np.concatenate(after, axis=1)
    if not now.size:
        return None
    from scipy.stats import rankdata  # As in `forecast.evaluation.scores.roc`.

    places = np.arange(1, now.shape[1] + 1)
    matched = [
        np.interp(rankdata(band), places, np.sort(wanted))
        for band, wanted in zip(later, now, strict=True)
    ]
    return Outcome(
        np.concatenate(locations, axis=-1).reshape(LOCATIONS, -1).T,
        np.concatenate(scales, axis=-1).reshape(SCALES, -1).T,
        ((np.stack(matched) - now) / float(tone.contrast[0])).ravel().astype(np.float32),
    )


def regional_sizes(past: Past, years: Sequence[float]) -> list[tuple[float, float]]:
    """Means over the region of `EarlierLooks.sizes`, for each horizon."""
    tone = past.tone()
    looks = [EarlierLooks.of_block(past, window, tone) for window in _blocks(past)]
    return [_mean_sizes(looks, horizon) for horizon in years]


def _mean_sizes(looks: Sequence[EarlierLooks], years: float) -> tuple[float, float]:
    found = [look.sizes(years) for look in looks]
    return (
        float(np.mean([all_dates.mean() for all_dates, _ in found])),
        float(np.mean([near.mean() for _, near in found])),
    )


def _blocks(past: Past) -> list[Window]:
    blocks = sampled_blocks(past)
    return blocks[:: -(-len(blocks) // _BLOCKS)]


def _size(rows: Outcome) -> float:
    return max(float(np.abs(rows.difference).mean()), 1e-3)


def _tensor(parts: Sequence[NDArray[np.floating]]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(np.float64))
