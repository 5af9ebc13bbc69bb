"""What stays in a world: the frame, the region and everything that no process changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from preprocessing.simulator.config import Region, WorldConfig
from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.landform.terrain import Terrain, build_terrain
from preprocessing.simulator.objects.parcels import Parcels, build_parcels
from preprocessing.simulator.seeds import generator

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """The unchanging part of a world.

    Attributes:
        config: Configuration of the world.
        frame: Geometry.
        region: Character of the land.
        terrain: The ground.
        parcels: Fields and lots.
    """

    config: WorldConfig
    frame: Frame
    region: Region
    terrain: Terrain
    parcels: Parcels

    @classmethod
    def of(cls, config: WorldConfig) -> Setting:
        """That of one of the first landscapes."""
        frame, seed = Frame.of(config), config.seed
        region = Region.draw(seed, config.landscape)
        terrain = build_terrain(frame, region, seed)
        return cls(config, frame, region, terrain, build_parcels(frame, region, seed))

    def rng(self, process: str, year: int = 0) -> np.random.Generator:
        """The random stream of a process in a year (index)."""
        return generator(self.config.seed, process, year)
