"""Reflectance of water: clear and deep, shoal near the shore, turbid or green by kind and day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.landscapes import Moment
from preprocessing.simulator.scenery.canvas import Canvas
from preprocessing.simulator.scenery.climate import Weather
from preprocessing.simulator.scenery.spectra import spectrum

__all__ = ["paint_water"]


def paint_water(
    canvas: Canvas, weather: Weather, moment: Moment, mask: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Colours `(n, 5)` of the pixels under water."""
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
