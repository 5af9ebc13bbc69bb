"""How ground was seen before, in numbers that tell how it will be seen again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from forecast.hindcast.past import Past
from forecast.network.conditions import Tone
from forecast.region.windows import grown, within
from preprocessing.rasters.window import Window

__all__ = ["LOCATIONS", "SCALES", "EarlierLooks"]

LOCATIONS, SCALES = 15, 9
"""How many columns `EarlierLooks.columns` gives."""
_NARROW, _WIDE = 1.0, 5.0
"""Standard deviations of Gaussian windows, in cells."""
_HALO = 20
_RECENT_YEARS = 3.0
_NEAR, _NEAR_YEARS = 0.35, 0.5
_TEXTURE, _LEAST_TEXTURE = 2.0, 1 / 255
_LEAST, _LEAST_LOCAL = 0.02, 0.05
_LONGEST_YEARS = 13.0


@dataclass(frozen=True)
class EarlierLooks:
    """Cells of a block at the last date of a past, and how they differed before; `h, w` cells.

    Values are in units of the region's contrast.

    Attributes:
        offsets: `(5, 3, h, w)` differences to the cell as it is: of two smoothed pictures, of the
            mean of the earlier dates, of their mean with recent years counting more, and of the
            date before.
        squares: `(d, 3, h, w)` squared differences of the earlier dates, 0 where not known.
        known: `(d, h, w)`.
        ago: `(d,)` years before the last date.
        texture: `(h, w)` logarithm of the smoothed texture.
        brightness: `(h, w)`.
    """

    offsets: NDArray[np.float32]
    squares: NDArray[np.float32]
    known: NDArray[np.bool_]
    ago: NDArray[np.float64]
    texture: NDArray[np.float32]
    brightness: NDArray[np.float32]

    @classmethod
    def of_block(cls, past: Past, window: Window, tone: Tone) -> EarlierLooks:
        """Of a block of a region whose tone is given."""
        around = grown(window, _HALO, *past.shape)
        here = past.block(around.slices)
        inside = within(window, around).slices
        contrast = float(tone.contrast[0])
        middle = tone.mean[0].numpy().reshape(3, 1, 1)
        now = ((here.cells[-1] - middle) / contrast).astype(np.float32)
        ago = past.years[-1] - past.years[:-1]
        known = here.known[:-1] & here.known[-1]
        apart = (here.cells[:-1] - here.cells[-1:]) / contrast * known[:, None]
        apart = apart[(..., *inside)].astype(np.float32)
        known = known[(..., *inside)]
        recent = known * np.exp(-ago / _RECENT_YEARS)[:, None, None]
        latest = apart[-1] if len(ago) else np.zeros_like(now[(..., *inside)])
        smoother = [
            (gaussian_filter(now, (0, sigma, sigma)) - now)[(..., *inside)]
            for sigma in (_NARROW, _WIDE)
        ]
        return cls(
            offsets=np.stack([*smoother, _mean(apart, known), _mean(apart, recent), latest]),
            squares=apart**2,
            known=known,
            ago=ago,
            texture=_texture(now, contrast)[inside],
            brightness=np.clip(now.mean(axis=0), -3, 3)[inside],
        )

    def sizes(self, years: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean squared differences `(3, h, w)`: of all dates, and of those some years ago."""
        near = np.abs(self.ago - years) <= _NEAR * years + _NEAR_YEARS
        if len(self.ago) and not near.any():
            near[np.abs(self.ago - years).argmin()] = True
        return _mean(self.squares, self.known), _mean(self.squares[near], self.known[near])

    def columns(
        self, years: float, sizes: tuple[float, float]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What the mean and the spread of an observation some years later depend on.

        Args:
            years: Horizon.
            sizes: Means over the region of what `sizes` gives.

        Returns:
            `(LOCATIONS, 3, h, w)`, each a difference to the cell as it is, and
            `(SCALES, 3, h, w)`, terms of a logarithm.
        """
        log_years = float(np.log(np.clip(years, 0.25, _LONGEST_YEARS)))
        count = self.known.sum(axis=0)
        some = (count > 0).astype(np.float32)
        few = some / (1 + count)
        location = np.concatenate([self.offsets, few * self.offsets, log_years * self.offsets])
        all_dates, near = self.sizes(years)
        ones = np.ones(self.offsets.shape[1:], np.float32)
        terms = [
            1.0,
            log_years,
            few,
            self.texture,
            self.brightness**2,
            some * np.log(np.sqrt(all_dates) + _LEAST_LOCAL),
            some * np.log(np.sqrt(near) + _LEAST_LOCAL),
            *(np.log(np.sqrt(size) + _LEAST) for size in sizes),
        ]
        return location, np.stack([term * ones for term in terms]).astype(np.float32)


def _mean(
    values: NDArray[np.float32], weight: NDArray[np.floating | np.bool_]
) -> NDArray[np.float32]:
    """Over dates `(d, 3, h, w)` under weights `(d, h, w)`; 0 where there is none."""
    total = np.einsum("dchw,dhw->chw", values, weight.astype(np.float32))
    found = weight.sum(axis=0)
    return np.asarray(total / np.where(found > 0, found, 1), dtype=np.float32)


def _texture(now: NDArray[np.float32], contrast: float) -> NDArray[np.float32]:
    steps = np.abs(np.stack(np.gradient(now.mean(axis=0)))).sum(axis=0)
    least = _LEAST_TEXTURE / contrast
    return np.asarray(np.log(gaussian_filter(steps, _TEXTURE) + least), dtype=np.float32)
