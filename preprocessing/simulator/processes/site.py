"""Where processes take place: the frame, the ground's shape and the pattern of fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import Region, WorldConfig
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.landform.terrain import Terrain, build_terrain
from preprocessing.simulator.objects.parcels import Parcels, build_parcels
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.processes.character import draw_region, landform_scale
from preprocessing.simulator.processes.pace import Pace
from preprocessing.simulator.seeds import generator

__all__ = ["Site"]


@dataclass(frozen=True)
class Site:
    """What stays in a composed landscape.

    Attributes:
        config: Configuration of the world.
        frame: The grids, in metres.
        landform: The same grids in lengths of 10 m per pixel, in which terrain and river are
            laid out, so that a valley spans as many pixels at 90 m as at 10 m.
        fields: The same grids in lengths for parcels, which grow less with the pixel.
        region: Character of the land.
        terrain: The ground, in lengths of `landform`.
        parcels: Fields, in lengths of `fields`.
    """

    config: WorldConfig
    frame: Frame
    landform: Frame
    fields: Frame
    region: Region
    terrain: Terrain
    parcels: Parcels

    @classmethod
    def of(cls, config: WorldConfig) -> Site:
        """The site of a world."""
        frame, region = Frame.of(config), draw_region(config)
        landform = frame.scaled(landform_scale(config, "landform", 0.9))
        fields = frame.scaled(max(landform_scale(config, "fields", 0.62), 0.6))
        terrain = build_terrain(landform, region, config.seed)
        parcels = build_parcels(fields, region, config.seed)
        return cls(config, frame, landform, fields, region, terrain, parcels)

    @property
    def setting(self) -> Setting:
        """The same in lengths of `landform`, as the first landscapes have it."""
        return Setting(self.config, self.landform, self.region, self.terrain, self.parcels)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of fine pixels."""
        return self.frame.shape

    def rng(self, process: str, year: int = 0) -> np.random.Generator:
        """The random stream of a process in a year."""
        return generator(self.config.seed, process, year)

    def pace(self, process: str) -> Pace:
        """The pace of a process."""
        return Pace.draw(self.config.seed, process, self.config.growth)

    def px(self, metres: float, *, least: float = 0.0) -> float:
        """Metres in fine pixels, but at least so many pixels."""
        return max(self.frame.px(metres), least)

    def noise(
        self, process: str, *, largest_px: float, smallest_px: float = 3.0, slope: float = 2.0
    ) -> NDArray[np.float32]:
        """Static fractal noise `(h, w)` of unit variance that belongs to a process."""
        return fractal_noise(
            self.shape,
            self.rng(f"noise {process}"),
            slope=slope,
            largest_px=largest_px,
            smallest_px=smallest_px,
        )

    @property
    def area_px(self) -> int:
        """Fine pixels of the map."""
        return self.frame.height * self.frame.width
