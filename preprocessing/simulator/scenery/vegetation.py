"""How much of each pixel is green, of straw, of trees, by cover, age and the day's weather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.appearance.textures import Textures
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.borders import Borders
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.landscapes import Moment
from preprocessing.simulator.scenery.canvas import Canvas
from preprocessing.simulator.scenery.climate import Looks, Weather
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Parts", "greenness"]

_CLOSED = 13.0


@dataclass(frozen=True)
class Parts:
    """Parts of a pixel `(h, w)`, 0..1 float32.

    Attributes:
        green: Under leaves.
        straw: Of the rest, under straw and litter.
        trees: Of the leaves, those of trees.
        needles: Of the trees, conifers.
        bright: Factor, about 1.
    """

    green: NDArray[np.float32]
    straw: NDArray[np.float32]
    trees: NDArray[np.float32]
    needles: NDArray[np.float32]
    bright: NDArray[np.float32]


def greenness(canvas: Canvas, weather: Weather, moment: Moment, borders: Borders) -> Parts:
    """The parts of each pixel in a year."""
    site, tex, looks = canvas.site, canvas.textures, canvas.looks
    cover, style = moment.cover, moment.style
    age = (moment.year - moment.since).astype(np.float32)
    moist = (tex.wetness - 0.5) * 0.5 + 0.14 * tex.patch
    wild = looks.wild + weather.green + moist * (0.3 if looks.wild > 0.1 else 0.07)
    green = np.asarray(wild + 0.12 * looks.wild * tex.mottle, dtype=np.float32)
    straw = np.full(cover.shape, 0.45 if looks.wild > 0.1 else 0.05, dtype=np.float32)
    trees = np.zeros(cover.shape, dtype=np.float32)
    bright = np.asarray(1.0 + 0.05 * tex.mottle + 0.04 * tex.grain, dtype=np.float32)
    _fields(tex, looks, weather, moment, borders, green, straw, bright)
    _blocks(tex, looks, weather, moment, age, green, straw, trees, bright)
    forest = cover == Cover.FOREST
    young = cover == Cover.YOUNG_FOREST
    closed = np.clip(age / _CLOSED, 0.05, 1.0)
    scrub = (cover == Cover.GRASS) & (style == Style.WILD) & (tex.crown + tex.mottle > 1.6)
    trees[scrub] = 0.8
    green[scrub] += 0.25
    green[young] = (looks.wild + (looks.wooded - looks.wild) * np.sqrt(closed))[young]
    green[young] += 0.06 * tex.mottle[young]
    trees[young] = closed[young] * 0.8
    green[forest] = looks.wooded + 0.03 * tex.mottle[forest] + 0.3 * weather.green
    trees[forest] = 1.0
    bump = 1.0 + 0.1 * tex.crown + 0.07 * tex.grain + 0.05 * tex.mottle + 0.04 * tex.patch
    bright[forest | young] = bump[forest | young]
    felled = cover == Cover.CLEARCUT
    green[felled] = 0.12 + 0.1 * tex.mottle[felled] + 0.1 * age[felled]
    straw[felled] = 0.35
    bright[felled] *= np.where(age[felled] < 1, 0.72, 0.95)
    stand = hash_unit(site.parcels.label, 55) + 0.2 * tex.patch
    needles = np.clip((site.region.conifers - stand) * 5.0 + 0.5, 0.0, 1.0)
    needles[cover == Cover.PLANTATION] = 0.3 if site.region.conifers > 0.5 else 0.0
    return Parts(
        np.clip(green, 0.0, 1.0).astype(np.float32),
        np.clip(straw, 0.0, 1.0).astype(np.float32),
        np.clip(trees, 0.0, 1.0).astype(np.float32),
        needles.astype(np.float32),
        np.clip(bright, 0.3, 1.8).astype(np.float32),
    )


def _fields(
    tex: Textures,
    looks: Looks,
    weather: Weather,
    moment: Moment,
    borders: Borders,
    green: NDArray[np.float32],
    straw: NDArray[np.float32],
    bright: NDArray[np.float32],
) -> None:
    field = moment.style == Style.FIELD
    arable = field & (moment.cover == Cover.CROPLAND)
    pasture = field & (moment.cover == Cover.GRASS)
    owner = moment.owner.astype(np.int64)
    tone = hash_unit(owner * 16 + moment.crop, 51)
    green[arable] = weather.crop_green[moment.crop[arable]]
    green[arable] += 0.16 * (tone[arable] - 0.5) + 0.05 * tex.patch[arable]
    straw[arable] = weather.crop_straw[moment.crop[arable]]
    whim = hash_unit(owner * 4096 + moment.year, 57)
    grazed = 0.1 * (hash_unit(owner, 52) - 0.5) + 0.3 * weather.strength * (whim - 0.5)
    green[pasture] = (looks.pasture + weather.green + grazed + 0.06 * tex.patch)[pasture]
    straw[pasture] = 0.6
    bright[field] *= (0.88 + 0.24 * hash_unit(owner, 54) + 0.02 * tex.rows)[field]
    bright[field] -= 0.05 * tex.veins[field]
    # Where a line is much narrower than a pixel, little of it is seen.
    track, hedge = borders.track * field, borders.hedge * field
    green *= 1.0 - 0.5 * track
    green += hedge * np.float32(0.55 * looks.wooded) * (0.9 - green)
    green += borders.baulk * field * np.float32(0.3) * (looks.pasture - green)


def _blocks(
    tex: Textures,
    looks: Looks,
    weather: Weather,
    moment: Moment,
    age: NDArray[np.float32],
    green: NDArray[np.float32],
    straw: NDArray[np.float32],
    trees: NDArray[np.float32],
    bright: NDArray[np.float32],
) -> None:
    """Cleared blocks, pivots and plantations: every unit has its own state."""
    unit = moment.unit.astype(np.int64)
    block = np.isin(moment.style, (Style.BLOCK, Style.PIVOT)) & (moment.cover == Cover.CROPLAND)
    phase = (hash_unit(unit, 64) * 4).astype(np.int64)
    kind = hash_unit(unit * 4096 + (moment.year + phase) // 2, 65)
    this_year = hash_unit(unit * 4096 + moment.year, 66)
    irrigated = np.where(kind < 0.6, 0.85, np.where(kind < 0.8, 0.45, 0.08))
    dry = 0.15 + 0.7 * kind
    state = np.where(moment.style == Style.PIVOT, irrigated, dry)
    state = state + weather.strength * 0.5 * (this_year - 0.5) + 0.04 * tex.mottle
    green[block] = np.clip(state, 0.03, 0.95)[block]
    straw[block] = (0.2 + 0.6 * hash_unit(unit, 67))[block]
    pasture = (moment.style == Style.BLOCK) & (moment.cover == Cover.GRASS)
    worn = 0.25 * (hash_unit(unit, 68) - 0.5) + 0.2 * weather.strength * (this_year - 0.5)
    green[pasture] = (looks.pasture + weather.green + worn + 0.1 * tex.patch)[pasture]
    straw[pasture] = 0.65
    bright[block | pasture] *= (0.9 + 0.2 * hash_unit(unit, 69))[block | pasture]
    planted = moment.cover == Cover.PLANTATION
    grown = np.clip(age / 5.0, 0.0, 1.0)
    green[planted] = (0.14 + 0.76 * grown + 0.03 * tex.mottle)[planted]
    trees[planted] = (0.35 + 0.55 * np.clip(age / 9.0, 0.0, 1.0))[planted]
    straw[planted] = 0.3
    bright[planted] *= (1.0 - 0.12 * grown + 0.06 * (hash_unit(unit, 70) - 0.5))[planted]
