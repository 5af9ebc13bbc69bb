"""Fields: crops rotate, pastures are ploughed or laid down, neighbours merge."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from preprocessing.simulator.objects.setting import Setting

__all__ = ["CROPS", "Fields"]

CROPS = 8
_TURNOVER = 0.009
_MERGER = 0.006
# How likely each crop is on moist and on dry land; the order is that of the palette.
_MOIST = np.array([0.16, 0.2, 0.15, 0.1, 0.12, 0.05, 0.14, 0.08])
_DRY = np.array([0.28, 0.07, 0.05, 0.2, 0.15, 0.12, 0.03, 0.1])


class Fields:
    """What each parcel is used for.

    Attributes:
        owner: `(n,)` int32, the parcel whose use each one shares; its own number if not merged.
        grass: `(n,)` bool, pasture or meadow rather than arable; valid for owners.
        crop: `(n,)` int8, `0..CROPS-1`; valid for owners.
    """

    def __init__(self, setting: Setting) -> None:
        region, terrain, parcels = setting.region, setting.terrain, setting.parcels
        self._setting = setting
        rng = setting.rng("fields")
        self._rotation = region.rotation
        self._neighbours = parcels.neighbours
        number = np.arange(parcels.count)
        slope = ndimage.mean(terrain.slope, parcels.label, number)
        valley = ndimage.mean(terrain.valley_m, parcels.label, number)
        wish = slope / 0.05 + 0.8 * np.exp(-valley / 200.0) + rng.normal(0.0, 0.7, parcels.count)
        self.grass = np.asarray(wish > np.quantile(wish, region.arable_share))
        weight = (1.0 - region.dryness) * _MOIST + region.dryness * _DRY
        self._weight = weight / weight.sum()
        self.crop = rng.choice(CROPS, parcels.count, p=self._weight).astype(np.int8)
        self.owner = number.astype(np.int32)

    def step(self, year: int) -> None:
        """Let a year pass."""
        rng = self._setting.rng("fields", year)
        count = len(self.crop)
        turned = rng.random(count) < _TURNOVER
        self.grass = self.grass ^ turned
        rotated = rng.random(count) < self._rotation
        chosen = rng.choice(CROPS, count, p=self._weight)
        chosen = np.where(
            chosen == self.crop, (chosen + rng.integers(1, CROPS, count)) % CROPS, chosen
        )
        self.crop = np.where(rotated, chosen, self.crop).astype(np.int8)
        merged = self._neighbours[rng.random(len(self._neighbours)) < _MERGER]
        for keeper, other in merged.tolist():
            new, old = self.owner[keeper], self.owner[other]
            # Both must be arable owners of single parcels, so that farms do not run away.
            single = (self.owner == new).sum() == 1 and (self.owner == old).sum() == 1
            if new != old and single and not self.grass[new] and not self.grass[old]:
                self.owner[other] = new
