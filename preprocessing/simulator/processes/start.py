"""The land before the processes begin: forest, fields, and wild ground where nobody farms."""

from __future__ import annotations

import numpy as np

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.objects.fields import Fields
from preprocessing.simulator.objects.forest import initial_forest
from preprocessing.simulator.processes.character import farmed_share
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Farmland", "first_ground"]


class Farmland:
    """Fields of the composed landscapes: crops rotate, pastures are ploughed or laid down.

    Attributes:
        fields: Use of each parcel.
    """

    def __init__(self, site: Site) -> None:
        self._label = site.parcels.label
        self.fields = Fields(site.setting)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass."""
        if year > 0:
            self.fields.step(year)
        grass = self.fields.grass[self.fields.owner][self._label]
        field = (ground.style == Style.FIELD) & ground.has(Cover.CROPLAND, Cover.GRASS)
        for now, cover in ((field & grass, Cover.GRASS), (field & ~grass, Cover.CROPLAND)):
            ground.take(now & (ground.cover != cover), cover, year, Style.FIELD)


def first_ground(site: Site) -> Ground:
    """Forest on steep and remote ground, fields near the river, wild land elsewhere."""
    config, region = site.config, site.region
    desert = config.climate == "desert"
    ground = Ground(np.full(site.shape, Cover.BARE if desert else Cover.GRASS, dtype=np.uint8))
    wish = site.noise("farmed", largest_px=site.landform.px(1500.0), slope=2.2)
    wish = wish + 1.5 * np.exp(-site.terrain.valley_m / 500.0) - site.terrain.slope / 0.05
    parcel = site.parcels.label
    count = np.maximum(np.bincount(parcel.ravel()), 1)
    mean = np.bincount(parcel.ravel(), wish.ravel()) / count
    share = farmed_share(config)
    farmed = (mean > np.quantile(mean[parcel[::3, ::3]], 1.0 - share))[parcel]
    ground.take(farmed, Cover.CROPLAND, -60, Style.FIELD)
    if region.forest_share > 0:
        nothing = np.zeros(site.shape, dtype=bool)
        trees = initial_forest(site.setting, nothing, site.rng("forest"))
        ground.take(trees, Cover.FOREST, -60)
        age = (20 + 90 * hash_unit(parcel, config.seed + 7)).astype(np.int16)
        ground.since[trees] = -age[trees]
    return ground
