"""The demo world: yearly scenes of a place that does not exist, and the truth about them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from preprocessing.grid import Grid
from preprocessing.raster import Encoding, Raster
from preprocessing.simulator.clouds import cover_with_clouds
from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.land import build_setting, live
from preprocessing.simulator.rendering import render_ground
from preprocessing.simulator.seeds import generator
from preprocessing.simulator.sensor import Acquisition, observe
from preprocessing.simulator.textures import build_textures

__all__ = ["World", "simulate_world"]

_ZONE = "EPSG:32632"


@dataclass(frozen=True)
class World:
    """A simulated place.

    Attributes:
        config: What it was made from.
        rasters: One RGB scene a year, 8-bit values, on one UTM grid; invalid under clouds.
        covers: `(h, w)` uint8 codes of `Cover`, one map a year: the truth, without
            misregistration.
        clouds: `(h, w)` bool masks of clouds and their shadows, one a year, or None.
        elevation_m: `(h, w)` float32 heights.
    """

    config: WorldConfig
    rasters: tuple[Raster, ...]
    covers: tuple[NDArray[np.uint8], ...]
    clouds: tuple[NDArray[np.bool_], ...] | None
    elevation_m: NDArray[np.float32]


def simulate_world(config: WorldConfig) -> World:
    """Make a world; equal configurations give equal worlds.

    The first years do not depend on the number of years, and the land does not depend on
    whether there are clouds.
    """
    setting = build_setting(config)
    textures = build_textures(setting)
    grid = _grid(config)
    encoding = Encoding(masked=config.clouds)
    rasters, covers, masks = [], [], []
    for land in live(setting):
        colour = render_ground(setting, textures, land)
        scene = observe(colour, config, Acquisition.draw(config.seed, land.year), land.year)
        valid = np.ones((config.height, config.width), dtype=bool)
        if config.clouds:
            scene, mask = cover_with_clouds(scene, config, land.year)
            masks.append(mask)
            valid = ~mask
        year = config.start_year + land.year
        rasters.append(
            Raster(
                encoding.decode(encoding.encode(scene)),
                grid,
                valid,
                encoding,
                _date(config, land.year),
                f"scene_{year}",
            )
        )
        covers.append(_majority(land.cover))
    size = (config.width, config.height)
    elevation = cv2.resize(setting.terrain.elevation_m, size, interpolation=cv2.INTER_AREA)
    return World(
        config,
        tuple(rasters),
        tuple(covers),
        tuple(masks) if config.clouds else None,
        np.asarray(elevation, dtype=np.float32),
    )


def _grid(config: WorldConfig) -> Grid:
    """A place in UTM zone 32 that depends on the seed, on multiples of the pixel size."""
    rng = generator(config.seed, "place")
    east = round(float(rng.uniform(350e3, 650e3)) / config.gsd_m) * config.gsd_m
    north = round(float(rng.uniform(4.9e6, 5.9e6)) / config.gsd_m) * config.gsd_m
    transform = Affine(config.gsd_m, 0.0, east, 0.0, -config.gsd_m, north)
    return Grid(config.height, config.width, transform, CRS.from_string(_ZONE))


def _date(config: WorldConfig, year: int) -> dt.date:
    """A day of summer, another one each year; of high summer where seasons do not matter."""
    longer = round(40 * config.seasons)
    day = int(generator(config.seed, "date", year).integers(-longer, 40 + longer))
    return dt.date(config.start_year + year, 7, 10) + dt.timedelta(days=day)


def _majority(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The commonest cover among the four fine pixels of each scene pixel.

    Ties go to roads, then to built-up ground, so that neither flickers.
    """
    corners = [fine[row::2, col::2] for row in (0, 1) for col in (0, 1)]
    order = [Cover.ROAD, Cover.BUILT_UP]
    order += [cover for cover in Cover if cover not in order]
    most = np.zeros(corners[0].shape, dtype=np.uint8)
    winner = np.zeros(corners[0].shape, dtype=np.uint8)
    for cover in order:
        votes = np.zeros(most.shape, dtype=np.uint8)
        for corner in corners:
            votes += corner == cover
        better = votes > most
        winner[better] = cover
        most[better] = votes[better]
    return winner
