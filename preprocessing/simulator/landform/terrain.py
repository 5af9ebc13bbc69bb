"""The ground: eroded heights, the valley of the main river and the streams that feed it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from preprocessing.simulator.config import Region
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.landform.hydrology import Flow, erode, route_flow
from preprocessing.simulator.seeds import generator

__all__ = ["Terrain", "build_terrain"]


@dataclass(frozen=True)
class Terrain:
    """Heights and drainage.

    Attributes:
        elevation_m: `(h, w)` heights of fine pixels.
        slope: `(h, w)` gradient over about 30 m, metres per metre.
        cells_m: `(ch, cw)` heights of cells.
        flow: Drainage of the cells.
        valley: `(n, 2)` fine `(x, y)` points of the valley axis, downstream.
        valley_m: `(h, w)` metres to the valley axis.
        streams: `(h, w)` bool, beds of the tributaries.
    """

    elevation_m: NDArray[np.float32]
    slope: NDArray[np.float32]
    cells_m: NDArray[np.float64]
    flow: Flow
    valley: NDArray[np.float64]
    valley_m: NDArray[np.float32]
    streams: NDArray[np.bool_]


def build_terrain(frame: Frame, region: Region, seed: int) -> Terrain:
    """Raise a fractal surface, tilt it, let a river through and erode it."""
    rng = generator(seed, "terrain")
    rows, cols = frame.cell_shape
    turns = int(rng.integers(4))
    shape = (rows, cols) if turns % 2 == 0 else (cols, rows)
    # The river comes in at the top and leaves at the bottom; the map is turned afterwards.
    extent = 4200.0 / frame.cell_m
    rough = fractal_noise(shape, rng, slope=2.6, largest_px=extent, smallest_px=2.0)
    rough = rough.astype(np.float64)
    down = np.linspace(1.0, 0.0, shape[0])[:, None]
    heights = region.relief_m * (0.24 * rough + 0.8 * down)
    heights += 0.004 * region.relief_m * rng.standard_normal(shape)
    # High sides keep the river in the picture.
    middle = shape[1] * float(rng.uniform(0.38, 0.62))
    heights += 0.9 * region.relief_m * (np.abs(np.arange(shape[1]) - middle) / shape[1]) ** 1.5
    third = shape[1] // 3
    entry = third + int(np.argmin(ndimage.gaussian_filter1d(heights[0], 4.0)[third:-third]))
    outlet = third + int(np.argmin(ndimage.gaussian_filter1d(heights[-1], 4.0)[third:-third]))
    outlets = np.zeros(shape, dtype=bool)
    outlets[-1, outlet] = True
    heights[-1, outlet] -= 0.2 * region.relief_m
    inflow = {entry: 2.0 * heights.size}
    heights = erode(heights, outlets, inflow, steps=12, strength=0.035)
    heights = ndimage.gaussian_filter(heights, 1.1)
    heights += 30.0 - heights.min()
    flow = route_flow(heights, outlets, inflow)
    turned = np.rot90(np.arange(heights.size).reshape(shape), turns)
    heights = np.ascontiguousarray(np.rot90(heights, turns))
    where = np.empty(heights.size, dtype=np.int64)
    where[turned.ravel()] = np.arange(heights.size)
    flow = Flow(
        where[flow.receiver][turned.ravel()],
        where[flow.order],
        flow.accumulation[turned.ravel()],
    )
    path = flow.downstream(int(where[entry]))
    valley = ndimage.gaussian_filter1d(frame.cell_points(path), 4.0, axis=0, mode="nearest")
    elevation = frame.to_fine(heights)
    valley_m = distance_to_line(frame, valley) * frame.fine_m
    elevation += _detail(frame, region, rng)
    # A flood plain: within the valley the ground lies close to the level of the axis.
    level = _along(frame, valley, np.minimum.accumulate(heights.ravel()[path]))
    plain = 1.0 / (1.0 + (valley_m / (4.0 * region.river_width_m)) ** 4)
    elevation = elevation + plain * np.minimum(level + 1.0 - elevation, 0.0) * 0.9
    elevation = elevation.astype(np.float32)
    smooth = cv2.GaussianBlur(elevation, (0, 0), frame.px(15.0))
    dy, dx = np.gradient(smooth, frame.fine_m)
    return Terrain(
        elevation,
        np.hypot(dy, dx).astype(np.float32),
        heights,
        flow,
        valley,
        valley_m.astype(np.float32),
        _streams(frame, flow, path),
    )


def distance_to_line(frame: Frame, line: NDArray[np.float64]) -> NDArray[np.float32]:
    """Fine pixels `(h, w)` to a polyline of fine `(x, y)` points, which may leave the scene."""
    pad = int(frame.px(frame.cell_m) * frame.margin)
    canvas = np.full((frame.height + 2 * pad, frame.width + 2 * pad), 255, dtype=np.uint8)
    cv2.polylines(canvas, [np.rint((line + pad) * 16).astype(np.int32)], False, 0, 1, 8, 4)
    distance = cv2.distanceTransform(canvas, cv2.DIST_L2, 5)
    return np.asarray(distance[pad : pad + frame.height, pad : pad + frame.width], np.float32)


def _detail(frame: Frame, region: Region, rng: np.random.Generator) -> NDArray[np.float32]:
    detail = fractal_noise(
        frame.shape, rng, slope=2.2, largest_px=frame.px(300.0), smallest_px=frame.px(25.0)
    )
    return np.asarray(detail * np.float32(0.006 * region.relief_m), dtype=np.float32)


def _along(
    frame: Frame, line: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Spread values given along a line to all pixels: smooth, by normalised distance weights."""
    step = 8
    ys = np.arange(0, frame.height + step, step)
    xs = np.arange(0, frame.width + step, step)
    keep = slice(None, None, max(1, len(line) // 60))
    px, py, pv = line[keep, 0], line[keep, 1], values[keep]
    square = (ys[:, None, None] - py) ** 2 + (xs[None, :, None] - px) ** 2
    weight = 1.0 / (square + frame.px(60.0) ** 2) ** 2
    coarse = (weight * pv).sum(axis=2) / weight.sum(axis=2)
    fine = cv2.resize(coarse.astype(np.float32), (len(xs) * step, len(ys) * step))
    return np.asarray(fine[: frame.height, : frame.width], dtype=np.float32)


def _streams(frame: Frame, flow: Flow, river: NDArray[np.int64]) -> NDArray[np.bool_]:
    canvas = np.zeros(frame.shape, dtype=np.uint8)
    least = 1.2e5 / frame.cell_m**2 * 3.0
    on_river = np.zeros(len(flow.receiver), dtype=bool)
    on_river[river] = True
    wet = (flow.accumulation > least) & ~on_river
    fed = np.zeros(len(flow.receiver), dtype=bool)
    fed[flow.receiver[wet]] = True
    drawn = np.zeros(len(flow.receiver), dtype=bool)
    for source in np.flatnonzero(wet & ~fed).tolist():
        path = [source]
        while not drawn[path[-1]] and not on_river[path[-1]]:
            drawn[path[-1]] = True
            path.append(int(flow.receiver[path[-1]]))
        line = frame.cell_points(np.array(path))
        if len(line) > 3:
            line = ndimage.gaussian_filter1d(line, 1.5, axis=0, mode="nearest")
        cv2.polylines(canvas, [np.rint(line * 16).astype(np.int32)], False, 1, 1, 8, 4)
    return np.asarray(canvas > 0)
