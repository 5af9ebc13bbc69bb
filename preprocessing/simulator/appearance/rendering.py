"""The colour of the ground on fine pixels, before any sensor looks at it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.appearance.palette import Palette
from preprocessing.simulator.appearance.season import Season
from preprocessing.simulator.appearance.textures import Textures
from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.borders import Borders, draw_borders
from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.objects.forest import CLOSED_YEARS
from preprocessing.simulator.objects.land import LandYear
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.seeds import hash_unit

__all__ = ["render_ground"]

Colour = NDArray[np.float32]
Mask = NDArray[np.bool_]
_SITE_YEARS = 1


def render_ground(setting: Setting, textures: Textures, land: LandYear) -> Colour:
    """Colours of one year's land.

    Returns:
        `(h, w, 3)` red, green, blue of fine pixels, about 0..1.
    """
    season = Season.draw(setting.config.seed, land.year, setting.config.seasons)
    palette = Palette.of(setting.region, season)
    borders = draw_borders(setting, land.owner, textures.mottle)
    colour = _fields(setting, textures, land, palette, borders, season)
    cover = land.cover
    for mask, paint in (
        (cover == Cover.CLEARCUT, _clearcut),
        (land.forest_age >= CLOSED_YEARS, _forest),
        (cover == Cover.YOUNG_FOREST, _young),
        (cover == Cover.BARE, _bare),
        (cover == Cover.BUILT_UP, _built),
        (cover == Cover.ROAD, _road),
    ):
        if mask.any():
            colour[mask] = paint(setting, textures, land, palette, mask)
    # Tracks go on through the forest as rides; nowhere else do they show but between fields.
    wooded = land.forest_age >= 0
    _blend(colour, palette.soil * 0.85, borders.track * wooded * np.float32(0.55))
    colour *= textures.light[..., None]
    _shadows(setting, land, colour)
    wet = cover == Cover.WATER
    if wet.any():
        colour[wet] = _water(setting, textures, land, palette, wet, season)
    return colour


def _fields(
    setting: Setting,
    tex: Textures,
    land: LandYear,
    palette: Palette,
    borders: Borders,
    season: Season,
) -> Colour:
    owner = land.owner
    arable = land.cover == Cover.CROPLAND
    tint = 0.9 + 0.2 * hash_unit(owner.astype(np.int64) * 16 + land.crop, 51)
    tint = np.where(arable, tint, 0.94 + 0.12 * hash_unit(owner, 52))
    base = np.where(arable[..., None], palette.crops[land.crop], palette.grass)
    warm = (hash_unit(owner, 53) - 0.5)[..., None] * np.array([0.035, 0.0, -0.03], np.float32)
    warm += season.of_pastures(owner)[..., None] * np.array([0.07, 0.02, 0.03], np.float32)
    # Within a field: soil and moisture show through, more in some fields than in others.
    uneven = np.where(arable, 0.35 + hash_unit(owner, 54), 1.0) * season.patchy
    shade = (
        0.028 * tex.patch * uneven
        + 0.03 * tex.mottle * uneven
        + 0.022 * tex.grain
        - 0.05 * tex.veins * uneven
    )
    shade += np.where(arable, 0.028 * tex.rows, 0.012 * tex.crown)
    shade -= 0.07 * (tex.wetness - 0.5)
    level = tint * (1.0 + shade)
    colour = (base + warm) * level[..., None]
    moist = np.clip(tex.wetness - 0.35 + 0.08 * tex.patch, 0, 1)
    moist *= np.minimum(np.where(arable, np.float32(0.06), np.float32(0.22)) * season.damp, 0.8)
    colour += moist[..., None] * (np.array([0.29, 0.37, 0.22], np.float32) - colour)
    sparse = np.where(land.old_bed, np.float32(1.3), np.float32(2.1))
    reeds = land.reeds * np.clip(0.75 + 0.2 * tex.mottle, 0.0, 1.0)
    _blend(colour, palette.reeds, reeds.astype(np.float32))
    scrub = (~arable & (tex.crown + 0.7 * tex.mottle > sparse)).astype(np.float32)
    _blend(colour, palette.broadleaf * 1.05, np.maximum(borders.hedge * 0.8, scrub * 0.6))
    _blend(colour, palette.soil * 1.05, borders.track * 0.65)
    _blend(colour, palette.grass * 0.92, borders.baulk * 0.45)
    return np.asarray(colour, dtype=np.float32)


def _forest(
    setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask
) -> Colour:
    label = setting.parcels.label[mask]
    stand = hash_unit(label, 55) + 0.22 * tex.patch[mask]
    share = np.clip((stand - setting.region.conifers) * 5.0 + 0.5, 0.0, 1.0)[:, None]
    base = palette.conifer * (1 - share) + palette.broadleaf * share
    tone = 0.95 + 0.1 * hash_unit(label, 56)
    bump = 0.1 * tex.crown[mask] + 0.075 * tex.grain[mask]
    bump += 0.05 * tex.mottle[mask] + 0.03 * tex.patch[mask]
    return np.asarray(base * (tone * (1.0 + bump))[:, None], dtype=np.float32)


def _young(setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask) -> Colour:
    """Gradually from slash and weeds to a closed stand."""
    age = land.forest_age[mask].astype(np.float32)
    closed = np.clip(age / CLOSED_YEARS + 0.12 * tex.mottle[mask], 0.0, 1.0)[:, None]
    open_ground = _clearcut(setting, tex, land, palette, mask)
    trees = _forest(setting, tex, land, palette, mask)
    middle = palette.young * (1.0 + 0.05 * tex.crown[mask] + 0.04 * tex.mottle[mask])[:, None]
    early = open_ground + np.clip(closed * 2.5, 0, 1) * (middle - open_ground)
    return np.asarray(early + np.clip(closed * 2 - 1, 0, 1) * (trees - early), np.float32)


def _clearcut(
    setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask
) -> Colour:
    bump = 0.05 * tex.mottle[mask] + 0.035 * tex.crown[mask] + 0.03 * tex.rows[mask]
    weeds = np.clip(0.15 + 0.2 * tex.patch[mask] + 0.25 * tex.mottle[mask], 0.0, 0.6)[:, None]
    ground = palette.slash + weeds * (palette.grass - palette.slash)
    return np.asarray(ground * (1.0 + bump)[:, None], dtype=np.float32)


def _bare(setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask) -> Colour:
    river = setting.terrain.valley_m[mask] < 12.0 * setting.region.river_width_m
    base = np.where(river[:, None], palette.sand, 0.5 * (palette.soil + palette.slash))
    bump = 0.05 * tex.mottle[mask] + 0.02 * tex.grain[mask] + 0.03 * tex.patch[mask]
    return np.asarray(base * (1.0 + bump)[:, None], dtype=np.float32)


def _built(setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask) -> Colour:
    street = tex.streets[mask][:, None]
    colour = tex.houses[mask] + street * (palette.asphalt - tex.houses[mask])
    age = land.year - land.built_since[mask]
    site = (age <= _SITE_YEARS)[:, None] * np.where(age == 0, 0.85, 0.4)[:, None]
    colour = colour + site * (palette.soil * 1.05 - colour)
    return np.asarray(colour * (1.0 + 0.03 * tex.grain[mask])[:, None], dtype=np.float32)


def _road(setting: Setting, tex: Textures, land: LandYear, palette: Palette, mask: Mask) -> Colour:
    main = land.main_road[mask][:, None]
    verge = 0.45 * palette.grass + 0.55 * palette.asphalt
    base = np.where(main, palette.asphalt * 1.04, verge * 1.1)
    return np.asarray(base * (1.0 + 0.03 * tex.mottle[mask])[:, None], dtype=np.float32)


def _water(
    setting: Setting,
    tex: Textures,
    land: LandYear,
    palette: Palette,
    mask: Mask,
    season: Season,
) -> Colour:
    shore = distance_to(~mask)[mask]
    metres = shore * np.float32(setting.frame.fine_m)
    still = land.still[mask][:, None]
    deep = np.where(still, palette.still, palette.deep)
    deep = np.where(land.pond[mask][:, None], _pond_colour(tex, land, palette, mask), deep)
    deep = season.of_waters(deep, cv2.connectedComponents(mask.astype(np.uint8))[1][mask])
    reach = np.where(land.pond[mask], 9.0, 28.0)
    depth = (1.0 - np.exp(-metres / reach))[:, None]
    edge = np.where(still, 0.6 * palette.shallow + 0.4 * palette.still, palette.shallow)
    edge = np.where(land.pond[mask][:, None], 0.7 * deep + 0.3 * edge, edge)
    silt = (
        np.where(land.pond[mask], 0.01, 0.05) * tex.patch[mask]
        + 0.03 * tex.mottle[mask]
        + 0.008 * tex.grain[mask]
    )
    return np.asarray((edge + depth * (deep - edge)) * (1.0 + silt)[:, None], np.float32)


def _pond_colour(tex: Textures, land: LandYear, palette: Palette, mask: Mask) -> Colour:
    """Ponds differ, each is of one colour: some nearly black, some full of silt or algae."""
    _, number = cv2.connectedComponents(land.pond.astype(np.uint8))
    number = number[mask]
    mean = np.bincount(number, tex.patch[mask]) / np.maximum(np.bincount(number), 1)
    kind = np.clip(0.35 + 0.45 * mean, 0.0, 1.0)[number][:, None]
    return np.asarray(palette.pond * 0.85 + kind * (palette.shallow * 0.85 - palette.pond * 0.7))


def _shadows(setting: Setting, land: LandYear, colour: Colour) -> None:
    """Tall trees shade the ground north-west of them."""
    trees = ((land.cover == Cover.FOREST) & (land.forest_age >= CLOSED_YEARS)).astype(np.float32)
    reach = setting.frame.px(11.0)
    move = np.array([[1.0, 0.0, -0.5 * reach], [0.0, 1.0, -0.85 * reach]])
    size = (setting.frame.width, setting.frame.height)
    cast = cv2.warpAffine(trees, move, size, borderMode=cv2.BORDER_REPLICATE)
    shade = np.clip(cast - trees, 0.0, 1.0) * (land.cover != Cover.WATER)
    colour *= (1.0 - 0.38 * shade)[..., None]


def _blend(colour: Colour, paint: NDArray[np.float32], share: NDArray[np.float32]) -> None:
    there = share > 0.004
    part = colour[there]
    colour[there] = part + share[there][:, None] * (paint - part)
