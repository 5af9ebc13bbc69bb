"""The plans of towns: blocks, streets and lots of a dense grid, suburbs, villages and sheds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.landform.distance import distance_to
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.units import cells_of, rectangles, turned
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Plan", "coverage", "plan_town"]


@dataclass(frozen=True)
class Plan:
    """A town plan, wherever there could be a town; all arrays `(h, w)`.

    Attributes:
        tract: int64 keys of the pieces that are built on at a time.
        street: float32 share of street and parking.
        roof: float32 share of roofs where there is no street.
        lot: int64 lot; a few pixels at most, so that neighbours differ.
    """

    tract: NDArray[np.int64]
    street: NDArray[np.float32]
    roof: NDArray[np.float32]
    lot: NDArray[np.int64]


def coverage(
    along_m: NDArray[np.float32], period_m: float, width_m: float, pixel_m: float
) -> NDArray[np.float32]:
    """Share of each pixel under lines `width_m` wide every `period_m`; the mean where finer.

    Args:
        along_m: `(h, w)` metres across the lines.
        period_m: From line to line.
        width_m: Of a line.
        pixel_m: Size of a pixel.
    """
    if period_m < 2.5 * pixel_m:
        return np.full(along_m.shape, width_m / period_m, dtype=np.float32)
    away = np.abs((along_m + period_m / 2) % period_m - period_m / 2)
    share = np.clip(((width_m + pixel_m) / 2 - away) / pixel_m, 0.0, min(1.0, width_m / pixel_m))
    return np.asarray(share, dtype=np.float32)


def plan_town(site: Site, style: Style, angle: float) -> Plan:
    """The plan of one style of town.

    Args:
        site: Where.
        style: GRID, SUBURB, VILLAGE or SHEDS.
        angle: Direction of the streets in radians.
    """
    rng = site.rng(f"streets {style.name}")
    metre = np.float32(site.frame.fine_m)
    bend = {Style.VILLAGE: 60.0, Style.SUBURB: 35.0}.get(style, 0.0)
    along, across = turned(
        site.shape, angle, rng=rng, bend_px=site.px(bend), wave_px=site.px(700.0, least=16.0)
    )
    along, across = along * metre, across * metre
    if style is Style.SUBURB:
        return _suburb(site, along, across, rng)
    if style is Style.SHEDS:
        return _sheds(site, along, across, rng)
    if style is Style.VILLAGE:
        return _village(site, along, across)
    return _grid(site, along, across, rng)


def _grid(
    site: Site, along: NDArray[np.float32], across: NDArray[np.float32], rng: np.random.Generator
) -> Plan:
    """Blocks between streets, and wider streets every half or whole mile."""
    pixel = site.frame.fine_m
    long, short = float(rng.uniform(90.0, 180.0)), float(rng.uniform(55.0, 95.0))
    mile = float(rng.choice([400.0, 800.0, 1600.0]))
    street = np.maximum(coverage(along, long, 9.0, pixel), coverage(across, short, 9.0, pixel))
    if mile > 6 * pixel:
        wide = np.maximum(coverage(along, mile, 34.0, pixel), coverage(across, mile, 34.0, pixel))
        street = np.maximum(street, 0.9 * wide)
    side = site.px(float(rng.uniform(180.0, 420.0)), least=6.0) * pixel
    tract = rectangles(along, across, length=side, width=side, staggered=False)
    lot = _lots(site, along, across, 22.0, 20.0)
    roof = _roofs(site, along, across, 22.0, 20.0, 0.82)
    return Plan(tract, street, roof, lot)


def _suburb(
    site: Site, along: NDArray[np.float32], across: NDArray[np.float32], rng: np.random.Generator
) -> Plan:
    """Pods of houses: their streets run along the rim of the pod and in loops within it."""
    pixel = site.frame.fine_m
    pod = cells_of(site.shape, site.px(float(rng.uniform(260.0, 480.0)), least=7.0), rng)
    rim = np.zeros(site.shape, dtype=bool)
    rim[:, 1:] |= pod[:, 1:] != pod[:, :-1]
    rim[1:] |= pod[1:] != pod[:-1]
    inward = distance_to(rim) * np.float32(pixel)
    loops = coverage(inward + 30.0, 66.0, 8.0, pixel)
    street = np.maximum(loops, np.clip((12.0 - inward) / 8.0, 0.0, 1.0) * min(1.0, 14.0 / pixel))
    half = rectangles(
        along,
        across,
        length=site.px(300.0, least=9.0) * pixel,
        width=site.px(190.0, least=6.0) * pixel,
    )
    tract = half * 100_003 + pod
    lot = _lots(site, along, inward + 0.3 * across, 20.0, 29.0)
    roof = _roofs(site, along, inward + 0.3 * across, 20.0, 29.0, 0.6)
    return Plan(tract, street.astype(np.float32), roof, lot)


def _village(site: Site, along: NDArray[np.float32], across: NDArray[np.float32]) -> Plan:
    """Irregular lots with large gardens along winding lanes."""
    pixel = site.frame.fine_m
    street = np.maximum(coverage(along, 130.0, 6.0, pixel), coverage(across, 75.0, 6.0, pixel))
    side = site.px(80.0, least=4.0) * pixel
    tract = rectangles(along, across, length=1.2 * side, width=side)
    lot = _lots(site, along, across, 24.0, 26.0)
    roof = _roofs(site, along, across, 24.0, 26.0, 0.45)
    empty = hash_unit(lot, 61) < 0.25
    return Plan(tract, street * np.float32(0.8), np.where(empty, 0.05 * roof, roof), lot)


def _sheds(
    site: Site, along: NDArray[np.float32], across: NDArray[np.float32], rng: np.random.Generator
) -> Plan:
    """Large roofs on paved yards."""
    pixel = site.frame.fine_m
    side = site.px(float(rng.uniform(170.0, 320.0)), least=5.0) * pixel
    tract = rectangles(along, across, length=1.4 * side, width=side)
    width = max(float(rng.uniform(60.0, 110.0)), 2.5 * pixel)
    lot = rectangles(along, across, length=1.5 * width, width=width)
    roof = _roofs(site, along, across, 1.5 * width, width, 0.74)
    roof = np.where(hash_unit(lot, 62) < 0.22, 0.0, roof)
    return Plan(tract, coverage(across, side, 16.0, pixel), roof.astype(np.float32), lot)


def _lots(
    site: Site, u: NDArray[np.float32], v: NDArray[np.float32], length: float, width: float
) -> NDArray[np.int64]:
    least = 1.3 * site.frame.fine_m
    return rectangles(u, v, length=max(length, least), width=max(width, least))


def _roofs(
    site: Site,
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    length: float,
    width: float,
    part: float,
) -> NDArray[np.float32]:
    """Roofs in the middle of their lots where they can be seen, their share where not."""
    if min(length, width) < 3.0 * site.frame.fine_m:
        lot = _lots(site, u, v, length, width)
        return np.asarray(part**2 * (0.55 + 0.9 * hash_unit(lot, 63)), dtype=np.float32)
    strip = np.floor(v / width)
    du = np.abs((u / length + (strip * 0.618034) % 1.0) % 1.0 - 0.5)
    dv = np.abs((v / width) % 1.0 - 0.5)
    return np.asarray(np.maximum(du, dv) < part / 2, dtype=np.float32)
