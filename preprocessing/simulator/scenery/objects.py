"""Reflectance of towns, mines and solar parks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.landscapes import Moment
from preprocessing.simulator.processes.streets import coverage
from preprocessing.simulator.scenery.canvas import Canvas
from preprocessing.simulator.scenery.climate import Looks, Weather
from preprocessing.simulator.scenery.spectra import spectrum
from preprocessing.simulator.seeds import hash_unit

__all__ = ["paint_mine", "paint_solar", "paint_town"]

Colours = NDArray[np.float32]
_FILL_YEARS = 3.0


def paint_town(
    canvas: Canvas, weather: Weather, moment: Moment, mask: NDArray[np.bool_]
) -> Colours:
    """Streets, roofs and gardens; new tracts are bare ground that fills up within a few years."""
    looks, tex = canvas.looks, canvas.textures
    style, unit = moment.style[mask], moment.unit[mask].astype(np.int64)
    soil = canvas.soil[mask]
    age = (moment.year - moment.since[mask]).astype(np.float32)
    green = looks.gardens + 0.5 * weather.green + 0.1 * tex.mottle[mask]
    green += 0.3 * (hash_unit(unit, 71) - 0.5)
    green[style == Style.PARK] = 0.85
    # Trees grow up in old gardens.
    green *= np.clip(0.5 + age / 30.0, 0.5, 1.15)
    garden = soil * 0.9 + np.clip(green, 0.0, 0.95)[:, None] * (
        spectrum("leaf") * 0.85 - soil * 0.9
    )
    street = np.zeros(len(style), np.float32)
    roof = np.zeros(len(style), np.float32)
    lot = np.zeros(len(style), np.int64)
    for kind, plan in canvas.plans.items():
        here = style == kind
        street[here] = plan.street[mask][here]
        roof[here] = plan.roof[mask][here]
        lot[here] = plan.lot[mask][here]
    roofs = _roofs(canvas.looks, lot, unit, style)
    built = hash_unit(lot, 72) < (age + 0.4) / _FILL_YEARS
    paved = 0.55 * spectrum("asphalt") + 0.3 * spectrum("concrete") + 0.15 * soil
    yard = np.where(style == Style.SHEDS, 0.6, np.where(style == Style.GRID, 0.3, 0.05))[:, None]
    ground = garden + yard * (1.3 * paved - garden)
    raw = soil * 1.2
    raised = np.where(built, 1.0, np.clip(age / _FILL_YEARS, 0.0, 0.6))[:, None]
    ground = raw + raised * (ground - raw)
    colour = ground + (roof * built)[:, None] * (roofs - ground)
    colour += street[:, None] * (paved - colour)
    return np.asarray(colour * (1.0 + 0.03 * tex.grain[mask])[:, None], dtype=np.float32)


def _roofs(
    looks: Looks, lot: NDArray[np.int64], unit: NDArray[np.int64], style: NDArray[np.uint8]
) -> Colours:
    """Each tract has a leaning towards one kind of roof, each lot its own tone."""
    lean = hash_unit(unit, 73) - 0.5
    pick = hash_unit(lot, 74) + 0.5 * lean
    tone = 0.75 + 0.5 * hash_unit(lot, 75) + 0.15 * lean
    tiled = (pick < looks.tiles)[:, None]
    bright = (hash_unit(lot, 76) + 0.4 * lean < looks.white)[:, None]
    dark = 0.5 * spectrum("dark roof") + 0.5 * spectrum("concrete")
    flat = np.where(bright, spectrum("concrete") * 1.3, dark)
    roofs = np.where(tiled, spectrum("tile"), flat)
    steel = np.where((hash_unit(lot, 77) < 0.45)[:, None], spectrum("metal"), spectrum("concrete"))
    roofs = np.where((style == Style.SHEDS)[:, None], steel, roofs)
    return np.asarray(roofs * tone[:, None], dtype=np.float32)


def paint_mine(
    canvas: Canvas, weather: Weather, moment: Moment, mask: NDArray[np.bool_]
) -> Colours:
    """Benches that follow the rim of the pit, and rough dumps."""
    looks, tex, site = canvas.looks, canvas.textures, canvas.site
    pit = (moment.style == Style.PIT) & mask
    depth = distance_to(~pit)
    bench = site.px(35.0, least=3.2)
    step = np.cos(depth * np.float32(2 * np.pi / bench))[mask]
    inner = np.clip(depth / site.px(250.0, least=14.0), 0.0, 1.0)[mask]
    seam = (0.5 + 0.5 * np.tanh(1.6 * tex.patch + 1.2 * tex.mottle))[mask]
    rock = 0.55 * looks.spoil + 0.45 * canvas.soil[mask]
    share = np.clip(0.25 + 0.55 * inner + 0.5 * (seam - 0.5), 0.0, 1.0)[:, None]
    in_pit = (rock + share * (looks.ore - rock)) * (1.0 + 0.14 * step - 0.15 * inner)[:, None]
    ridges = np.cos(depth_of(mask) * np.float32(2 * np.pi / (2.2 * bench)))[mask]
    rough = 1.0 + 0.1 * ridges + 0.08 * tex.mottle[mask] + 0.05 * tex.crown[mask]
    dump = (looks.spoil + 0.25 * seam[:, None] * (looks.ore - looks.spoil)) * rough[:, None]
    return np.asarray(np.where(pit[mask][:, None], in_pit, dump), dtype=np.float32)


def depth_of(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels to the rim of a mask from within."""
    return distance_to(~mask)


def paint_solar(
    canvas: Canvas, weather: Weather, moment: Moment, mask: NDArray[np.bool_]
) -> Colours:
    """Dark rows with ground between, tracks around the fields of panels."""
    site = canvas.site
    unit = moment.unit
    edge = np.zeros(unit.shape, dtype=bool)
    edge[:, 1:] |= unit[:, 1:] != unit[:, :-1]
    edge[1:] |= unit[1:] != unit[:-1]
    row = np.indices(unit.shape, dtype=np.float32)[0] * np.float32(site.frame.fine_m)
    share = 0.35 + 0.65 * coverage(row, 9.0, 5.0, site.frame.fine_m)[mask]
    share *= np.where(edge[mask], 0.45, 1.0)
    share *= np.where(moment.year - moment.since[mask] < 1, 0.75, 1.0)
    ground = canvas.soil[mask] + 0.3 * canvas.looks.pasture * (spectrum("leaf") - canvas.soil[mask])
    colour = ground + share[:, None] * (spectrum("panel") - ground)
    tone = 1.0 + 0.12 * (hash_unit(unit[mask], 78) - 0.5) + 0.03 * canvas.textures.grain[mask]
    return np.asarray(colour * tone[:, None], dtype=np.float32)
