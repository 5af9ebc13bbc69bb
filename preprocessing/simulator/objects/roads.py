"""Towns on good ground, and roads by least cost between them and out of the map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse.csgraph import minimum_spanning_tree

from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.landform.paths import CostSurface
from preprocessing.simulator.landform.terrain import Terrain
from preprocessing.simulator.objects.setting import Setting

__all__ = ["Roads", "build_roads", "town_links", "town_sites"]


@dataclass(frozen=True)
class Roads:
    """Settlements and the roads that join them.

    Attributes:
        road: `(h, w)` bool.
        main: `(h, w)` bool, the wider roads among them.
        towns: `(n, 2)` fine `(x, y)` of the town centres, largest first.
    """

    road: NDArray[np.bool_]
    main: NDArray[np.bool_]
    towns: NDArray[np.float64]


def build_roads(setting: Setting, wet: NDArray[np.bool_], closed: NDArray[np.bool_]) -> Roads:
    """Place towns and lay roads.

    Args:
        setting: Where.
        wet: `(h, w)` water that roads may bridge at a price.
        closed: `(h, w)` ground to keep free: the floor of the reservoir, the river's belt.
    """
    frame, terrain = setting.frame, setting.terrain
    rng = setting.rng("roads")
    slope = frame.to_cells(terrain.slope).astype(np.float64)
    wet_cells = frame.to_cells(wet).astype(np.float64)
    shut = frame.to_cells(closed) > 0.02
    towns = town_sites(frame, terrain, slope, wet_cells > 0, shut, rng)
    noise = ndimage.gaussian_filter(rng.random(slope.shape), 2.0)
    noise = (noise - noise.min()) / max(float(np.ptp(noise)), 1e-9)
    cost = 1.0 + (slope / 0.06) ** 2 + 14.0 * wet_cells + 1.2 * noise
    cost[shut] += 25.0
    links = town_links(frame, towns, rng)
    road = np.zeros(frame.shape, dtype=np.uint8)
    main = np.zeros(frame.shape, dtype=np.uint8)
    for number, (start, end) in enumerate(links):
        # Ground that already has a road is cheap, so roads join rather than run in parallel.
        path = CostSurface(cost).paths(start, [end])[0]
        cost.ravel()[path] = np.minimum(cost.ravel()[path], 0.3)
        line = frame.cell_points(path)
        line = ndimage.gaussian_filter1d(line, 1.6, axis=0, mode="nearest")
        points = [np.rint(line * 16).astype(np.int32)]
        wide = max(1, round(frame.px(11.0 if number < 3 else 6.0)))
        cv2.polylines(road, points, False, 1, wide, 8, 4)
        if number < 3:
            cv2.polylines(main, points, False, 1, wide, 8, 4)
    return Roads(road > 0, main > 0, frame.cell_points(towns))


def town_sites(
    frame: Frame,
    terrain: Terrain,
    slope: NDArray[np.float64],
    wet: NDArray[np.bool_],
    shut: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Flat cell indexes of towns: on flat dry ground, apart, some near the river."""
    inner = np.zeros(slope.shape, dtype=bool)
    edge = frame.margin + max(2, round(0.06 * min(slope.shape)))
    inner[edge:-edge, edge:-edge] = True
    river = frame.to_cells(terrain.valley_m)
    score = -ndimage.gaussian_filter(slope, 2.0) / 0.05 + 0.9 * np.exp(-river / 500.0)
    score = score + 0.9 * ndimage.gaussian_filter(rng.standard_normal(slope.shape), 1.5) * 3.0
    score[~inner | wet | shut] = -np.inf
    area_km2 = frame.height * frame.width * frame.fine_m**2 / 1e6
    number = int(np.clip(round(2 + area_km2 / 4.0), 2, 24))
    apart = 0.62 * np.sqrt(area_km2 / number) * 1000.0 / frame.cell_m
    row, col = np.indices(slope.shape)
    chosen: list[int] = []
    while len(chosen) < number:
        best = int(np.argmax(score))
        if not np.isfinite(score.ravel()[best]):
            break
        chosen.append(best)
        y, x = divmod(best, slope.shape[1])
        score[np.hypot(row - y, col - x) < apart] = -np.inf
    if not chosen:
        chosen = [int(np.argmin(np.where(shut | wet, np.inf, slope)))]
    return np.array(chosen)


def town_links(
    frame: Frame, towns: NDArray[np.int64], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Pairs of cells to join: out of the map both ways, then all towns, then a few more."""
    rows, cols = frame.cell_shape
    y, x = np.divmod(towns, cols)
    first = int(towns[0])
    angle = float(rng.uniform(0.0, 2 * np.pi))
    exits = []
    for turn in (0.0, np.pi, rng.uniform(0.8, 2.3)):
        dy, dx = np.sin(angle + turn), np.cos(angle + turn)
        reach = min(
            (rows - 1 - y[0] if dy > 0 else y[0]) / max(abs(dy), 1e-6),
            (cols - 1 - x[0] if dx > 0 else x[0]) / max(abs(dx), 1e-6),
        )
        exits.append((first, int(y[0] + dy * reach) * cols + int(x[0] + dx * reach)))
    if len(towns) == 1:
        return exits
    apart = np.hypot(y[:, None] - y, x[:, None] - x)
    tree = minimum_spanning_tree(apart).tocoo()
    joined = {(min(a, b), max(a, b)) for a, b in zip(tree.row, tree.col, strict=True)}
    for town in range(len(towns)):
        near = int(np.argsort(apart[town])[min(2, len(towns) - 1)])
        if rng.random() < 0.45:
            joined.add((min(town, near), max(town, near)))
    pairs = sorted((int(a), int(b)) for a, b in joined if a != b)
    return exits + [(int(towns[a]), int(towns[b])) for a, b in pairs]
