"""Patterns that stay on the ground: the same every year, so that only change changes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.seeds import generator, hash_unit

__all__ = ["Textures", "build_textures"]


@dataclass(frozen=True)
class Textures:
    """Static patterns on fine pixels, `(h, w)` float32; noise has unit variance.

    Attributes:
        grain: Detail of one to two pixels.
        crown: Tree crowns and clumps, 8 to 25 m.
        mottle: Patches of 20 to 150 m.
        patch: Soil and moisture, 100 m to 1 km.
        veins: Thin lines of washed-out soil, mostly 0, up to 1.
        rows: Field rows and tramlines, -1..1.
        light: Relief shading, about 1 on flat ground.
        wetness: Hollows and valley floors, 0..1.
        streets: Share of street, 0..1, wherever there could be a town.
        houses: `(h, w, 3)` colours of roofs, gardens and yards, wherever there could be a town.
    """

    grain: NDArray[np.float32]
    crown: NDArray[np.float32]
    mottle: NDArray[np.float32]
    patch: NDArray[np.float32]
    veins: NDArray[np.float32]
    rows: NDArray[np.float32]
    light: NDArray[np.float32]
    wetness: NDArray[np.float32]
    streets: NDArray[np.float32]
    houses: NDArray[np.float32]


def build_textures(setting: Setting) -> Textures:
    """Make the patterns of a world."""
    frame, seed = setting.frame, setting.config.seed
    rng = generator(seed, "textures")
    shape = frame.shape
    grain = fractal_noise(shape, rng, slope=0.2, largest_px=6.0, smallest_px=1.6)
    crown = fractal_noise(
        shape, rng, slope=0.7, largest_px=frame.px(30.0), smallest_px=frame.px(9.0)
    )
    mottle = fractal_noise(
        shape, rng, slope=1.3, largest_px=frame.px(170.0), smallest_px=frame.px(18.0)
    )
    patch = fractal_noise(
        shape, rng, slope=1.9, largest_px=frame.px(1100.0), smallest_px=frame.px(40.0)
    )
    streets, houses = _town(setting, grain, mottle)
    return Textures(
        grain,
        crown,
        mottle,
        patch,
        _veins(setting, rng),
        _rows(setting),
        _light(setting),
        _wetness(setting),
        streets,
        houses,
    )


def _veins(setting: Setting, rng: np.random.Generator) -> NDArray[np.float32]:
    """The zero lines of a rough surface: they branch and run out like rills."""
    frame = setting.frame
    surface = fractal_noise(
        frame.shape, rng, slope=1.7, largest_px=frame.px(420.0), smallest_px=frame.px(22.0)
    )
    return np.asarray(np.exp(-((surface / 0.09) ** 2)), dtype=np.float32)


def _rows(setting: Setting) -> NDArray[np.float32]:
    parcels = setting.parcels
    period = 24.0 + 26.0 * hash_unit(parcels.label, 21)
    lines = np.cos(parcels.across_m * (2 * np.pi) / period)
    strength = 0.3 + 0.7 * hash_unit(parcels.label, 22) ** 2
    return np.asarray(lines * strength, dtype=np.float32)


def _light(setting: Setting) -> NDArray[np.float32]:
    """Lambert shading, sun in the south-east at 45 degrees, as at Sentinel-2's overpass."""
    terrain, frame = setting.terrain, setting.frame
    smooth = cv2.GaussianBlur(terrain.elevation_m, (0, 0), frame.px(12.0))
    dy, dx = np.gradient(smooth, frame.fine_m)
    # Columns grow eastwards, rows southwards: ground that falls to the south-east is lit.
    towards = -(0.5 * dx + 0.85 * dy)
    lit = (1.0 + towards) / np.sqrt(1.0 + dx**2 + dy**2)
    return np.asarray(np.clip(lit, 0.55, 1.4), dtype=np.float32)


def _wetness(setting: Setting) -> NDArray[np.float32]:
    """Height below the surroundings, squashed to 0..1."""
    elevation, frame = setting.terrain.elevation_m, setting.frame
    small = cv2.resize(elevation, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), frame.px(220.0) / 4)
    mean = cv2.resize(wide, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR)
    hollow = (mean - elevation) / (0.03 * setting.region.relief_m)
    return np.asarray(1.0 / (1.0 + np.exp(-hollow)), dtype=np.float32)


def _town(
    setting: Setting, grain: NDArray[np.float32], mottle: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Streets around blocks of houses in gardens; some lots are halls, some are parks."""
    parcels, region = setting.parcels, setting.region
    along, across = parcels.along_m, parcels.across_m
    street = np.minimum(np.abs((along + 5.0) % 150.0 - 5.0), np.abs((across + 4.0) % 55.0 - 4.0))
    streets = np.clip((7.0 - street) / 5.0, 0.0, 1.0).astype(np.float32)
    plot_u, plot_v = np.floor(along / 16.0), np.floor(across / 17.0)
    plot = (plot_u.astype(np.int64) << 24) + (plot_v.astype(np.int64) << 4) + 3
    plot += parcels.block.astype(np.int64) << 44
    kind, tone, hue = (hash_unit(plot, salt) for salt in (31, 32, 33))
    offset = np.abs(along / 16.0 - plot_u - 0.5), np.abs(across / 17.0 - plot_v - 0.42)
    roof = (np.maximum(offset[0] - 0.06 * hue, offset[1]) < 0.38) & (kind < 0.84)
    tile = np.array([0.66, 0.42, 0.33]) * region.redness + np.array([0.50, 0.47, 0.45]) * (
        1.0 - region.redness
    )
    pale = np.array([0.70, 0.67, 0.62])
    mix = np.where(hue < 0.65, 0.15 * hue, 0.9)[..., None]
    roofs = (tile * (1.0 - mix) + pale * mix) * (0.68 + 0.62 * tone[..., None])
    garden = np.array([0.33, 0.36, 0.25]) + 0.05 * mottle[..., None] + 0.035 * grain[..., None]
    garden = garden + region.dryness * np.array([0.1, 0.06, 0.03])
    garden = np.where((kind > 0.86)[..., None], np.array([0.2, 0.26, 0.17]), garden)
    houses = np.where(roof[..., None], roofs, garden)
    lot = hash_unit(parcels.label, 34)
    hall = (lot < 0.12)[..., None]
    big_u, big_v = np.floor(along / 52.0), np.floor(across / 55.0)
    big = (big_u.astype(np.int64) << 24) + (big_v.astype(np.int64) << 4) + 5
    inside = (np.abs(along / 52.0 - big_u - 0.5) < 0.36) & (
        np.abs(across / 55.0 - big_v - 0.5) < 0.33
    )
    steel = 0.5 + 0.42 * hash_unit(big, 35)[..., None] * np.array([1.0, 1.0, 1.0])
    yard = np.array([0.48, 0.46, 0.43]) + 0.03 * mottle[..., None]
    houses = np.where(hall, np.where(inside[..., None], steel, yard), houses)
    return streets, np.asarray(houses, dtype=np.float32)
