"""The demo world: yearly scenes of a place that does not exist, and the truth about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from preprocessing.rasters.grid import Grid
from preprocessing.rasters.raster import Encoding, Raster
from preprocessing.simulator.appearance.clouds import cover_with_clouds
from preprocessing.simulator.appearance.rendering import render_ground
from preprocessing.simulator.appearance.sensor import Acquisition, observe
from preprocessing.simulator.appearance.textures import build_textures
from preprocessing.simulator.config import WorldConfig, first_landscape
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.terrain import Terrain
from preprocessing.simulator.objects.land import live
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.processes.landscapes import Story
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.scenery.imaging import Camera
from preprocessing.simulator.scenery.painter import Painter
from preprocessing.simulator.seeds import generator

__all__ = ["World", "simulate_world"]

_ZONE = "EPSG:32632"


@dataclass(frozen=True)
class World:
    """A simulated place.

    Attributes:
        config: What it was made from.
        rasters: A scene of three bands every `interval` years, 8-bit values, on one UTM grid;
            invalid under clouds.
        covers: `(h, w)` uint8 codes of `Cover`, one map a scene: the truth, without
            misregistration.
        clouds: `(h, w)` bool masks of clouds and their shadows, one a scene, or None.
        elevation_m: `(h, w)` float32 heights; in the composed landscapes as if a pixel were about
            10 m.
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
    grid = _grid(config)
    encoding = Encoding(masked=config.clouds)
    rasters, covers, masks = [], [], []
    terrain, views = _first(config) if first_landscape(config.landscape) else _composed(config)
    for view in views:
        scene, valid = view.scene, np.ones((config.height, config.width), dtype=bool)
        if config.clouds:
            scene, mask = cover_with_clouds(scene, config, view.year)
            masks.append(mask)
            valid = ~mask
        year = config.start_year + view.year
        rasters.append(
            Raster(
                encoding.decode(encoding.encode(scene)),
                grid,
                valid,
                encoding,
                _date(config, view.year),
                f"scene_{year}",
            )
        )
        covers.append(_majority(view.cover))
    size = (config.width, config.height)
    elevation = cv2.resize(terrain.elevation_m, size, interpolation=cv2.INTER_AREA)
    return World(
        config,
        tuple(rasters),
        tuple(covers),
        tuple(masks) if config.clouds else None,
        np.asarray(elevation, dtype=np.float32),
    )


@dataclass(frozen=True)
class _View:
    """A scene `(3, h, w)` of a year (index) and the cover `(2h, 2w)` of the fine pixels."""

    year: int
    scene: NDArray[np.float32]
    cover: NDArray[np.uint8]


def _first(config: WorldConfig) -> tuple[Terrain, Iterator[_View]]:
    """One of the first two landscapes."""
    setting = Setting.of(config)
    textures = build_textures(setting)

    def views() -> Iterator[_View]:
        for land in live(setting):
            if land.year % config.interval == 0:
                colour = render_ground(setting, textures, land)
                taken = Acquisition.draw(config.seed, land.year)
                yield _View(land.year, observe(colour, config, taken, land.year), land.cover)

    return setting.terrain, views()


def _composed(config: WorldConfig) -> tuple[Terrain, Iterator[_View]]:
    """A landscape composed of processes, seen through the bands of a sensor."""
    story = Story(Site.of(config))
    painter, camera = Painter(story.site, story.plans), Camera(config)

    def views() -> Iterator[_View]:
        for moment in story.years():
            if moment.year % config.interval == 0:
                scene = camera.take(painter.paint(moment), moment.year)
                yield _View(moment.year, scene, moment.cover)

    return story.site.terrain, views()


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
