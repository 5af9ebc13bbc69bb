"""Reflectance of the ground on fine pixels: soil, straw and leaves, and what people put there."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.borders import draw_borders
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.landscapes import Moment
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.streets import Plan
from preprocessing.simulator.scenery.canvas import Canvas
from preprocessing.simulator.scenery.climate import Weather
from preprocessing.simulator.scenery.objects import paint_mine, paint_solar, paint_town
from preprocessing.simulator.scenery.spectra import spectrum
from preprocessing.simulator.scenery.vegetation import greenness

__all__ = ["Painter"]

Image = NDArray[np.float32]


class Painter:
    """Paints the land of any year of one world."""

    def __init__(self, site: Site, plans: dict[Style, Plan]) -> None:
        self._canvas = Canvas.of(site, plans)
        config, region, terrain, parcels = site.config, site.region, site.terrain, site.parcels
        self._fields = Setting(config, site.fields, region, terrain, parcels)
        smooth = cv2.GaussianBlur(terrain.elevation_m, (0, 0), site.landform.px(12.0))
        # Gullies and spurs, too fine for the cells on which valleys are cut, where it is steep.
        spurs = np.abs(site.noise("spurs", largest_px=70.0, smallest_px=5.0, slope=2.1))
        steep = cv2.GaussianBlur(terrain.slope, (0, 0), 12.0)
        rough = smooth - spurs * np.float32(22.0 * site.landform.fine_m / 5.0) * steep
        self._dy, self._dx = np.gradient(rough, site.landform.fine_m)

    def paint(self, moment: Moment) -> Image:
        """Reflectance `(h, w, 5)` of a year's land, in the order of `BANDS`."""
        canvas = self._canvas
        weather = Weather.draw(canvas.site.config, canvas.looks, moment.year)
        borders = draw_borders(self._fields, moment.owner, canvas.textures.mottle)
        part = greenness(canvas, weather, moment, borders)
        leaves = np.stack([spectrum("leaf"), spectrum("canopy"), spectrum("needle")])
        leaf = leaves[0] + part.trees[..., None] * (leaves[1] - leaves[0])
        leaf += (part.trees * part.needles)[..., None] * (leaves[2] - leaves[1])
        rest = part.straw[..., None]
        image = canvas.soil * (1.0 - rest) + spectrum("straw") * rest
        image += part.green[..., None] * (leaf - image)
        image *= part.bright[..., None]
        for cover, paint in (
            (Cover.BUILT_UP, paint_town),
            (Cover.MINE, paint_mine),
            (Cover.SOLAR, paint_solar),
        ):
            mask = moment.cover == cover
            if mask.any():
                image[mask] = paint(canvas, weather, moment, mask)
        self._bare(image, moment)
        image *= self._light(weather)[..., None]
        self._shade(image, weather, part.trees * part.green)
        wet = moment.cover == Cover.WATER
        if wet.any():
            image[wet] = _paint_water(canvas, weather, moment, wet)
        return np.asarray(image, dtype=np.float32)

    def _bare(self, image: Image, moment: Moment) -> None:
        """Roads, building ground, sand."""
        tex, bare = self._canvas.textures, moment.cover == Cover.BARE
        bump = (1.0 + 0.05 * tex.mottle + 0.04 * tex.grain)[..., None]
        road = moment.cover == Cover.ROAD
        image[road] = (0.75 * spectrum("asphalt") + 0.25 * self._canvas.soil[road]) * bump[road]
        sand = 0.6 * spectrum("sand") + 0.4 * self._canvas.looks.soils[0]
        sandy = bare & (moment.style == Style.BAR)
        image[sandy] = sand * (1.0 + 0.1 * tex.mottle + 0.05 * tex.grain)[sandy][:, None]
        shore = bare & (moment.style == Style.SHORE)
        pale = 0.5 * spectrum("pale") + 0.5 * self._canvas.looks.soils[0]
        image[shore] = pale * bump[shore]
        raw = bare & (moment.style == Style.SITE)
        image[raw] = self._canvas.looks.soils[0] * 1.25 * bump[raw]

    def _light(self, weather: Weather) -> NDArray[np.float32]:
        """Lambert shading for the sun of the day, 1 on flat ground."""
        east, south = weather.sun
        lit = 1.0 - east * self._dx - south * self._dy
        lit = lit / np.sqrt(1.0 + self._dx**2 + self._dy**2)
        return np.asarray(np.clip(lit, 0.42, 1.6), dtype=np.float32)

    def _shade(self, image: Image, weather: Weather, trees: NDArray[np.float32]) -> None:
        """Tall trees shade the ground away from the sun."""
        reach = min(self._canvas.site.px(9.0 * float(np.hypot(*weather.sun))), 6.0)
        if reach < 0.5:
            return
        east, south = np.array(weather.sun) / np.hypot(*weather.sun)
        move = np.array([[1.0, 0.0, -east * reach], [0.0, 1.0, -south * reach]])
        cast = cv2.warpAffine(trees, move, trees.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        image *= (1.0 - 0.45 * np.clip(cast - trees, 0.0, 1.0))[..., None]


def _paint_water(
    canvas: Canvas, weather: Weather, moment: Moment, mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Water `(n, 5)`: clear and deep, shoal near the shore, turbid or green by kind and day."""
    tex, style = canvas.textures, moment.style[mask]
    shore = distance_to(~mask)[mask]
    metres = shore * np.float32(canvas.site.frame.fine_m)
    river, sea = style == Style.RIVER, style == Style.SEA
    silt = np.where(river, 0.35 + 0.6 * weather.silt, 0.25 * weather.silt)
    silt = np.where(sea, 0.3 * weather.silt, silt)
    silt = np.clip(silt + 0.05 * tex.patch[mask] + 0.03 * tex.mottle[mask], 0.0, 1.0)[:, None]
    pond = (style == Style.POND)[:, None]
    clear = np.where(pond, 0.5 * spectrum("algae") + 0.5 * spectrum("silty"), spectrum("clear"))
    deep = clear + silt * (spectrum("silty") - clear)
    reach = np.where(sea, 4.0 * canvas.site.px(20.0, least=2.0), 25.0)
    reach = np.where(sea, reach * canvas.site.frame.fine_m / 8, reach)
    near = np.exp(-metres / reach)[:, None] * np.where(sea, 0.4, 0.45)[:, None]
    colour = deep + near * (spectrum("shoal") - deep)
    return np.asarray(colour * (1.0 + 0.02 * tex.grain[mask])[:, None], dtype=np.float32)
