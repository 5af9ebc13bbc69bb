"""Where water runs: depression-free flow routing, accumulation and erosion on cells."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flow", "erode", "route_flow"]


@dataclass(frozen=True)
class Flow:
    """How cells drain.

    Attributes:
        receiver: `(n,)` flat index of the cell each one drains to; outlets point to themselves.
        order: `(n,)` cells from the outlets upwards: every cell comes after its receiver.
        accumulation: `(n,)` cells that drain through each one, itself and inflow included.
    """

    receiver: NDArray[np.int64]
    order: NDArray[np.int64]
    accumulation: NDArray[np.float64]

    def downstream(self, cell: int) -> NDArray[np.int64]:
        """The path of water from a cell to its outlet, both included."""
        path = [cell]
        while self.receiver[path[-1]] != path[-1]:
            path.append(int(self.receiver[path[-1]]))
        return np.array(path)

    def upstream(self, cell: int) -> NDArray[np.bool_]:
        """`(n,)` mask of the cells that drain through one, itself included."""
        inside = np.zeros(len(self.receiver), dtype=bool)
        inside[cell] = True
        start = int(np.flatnonzero(self.order == cell)[0])
        receiver = self.receiver.tolist()
        for index in self.order[start + 1 :].tolist():
            if inside[receiver[index]]:
                inside[index] = True
        return inside


def route_flow(
    height_m: NDArray[np.float64], outlets: NDArray[np.bool_], inflow: dict[int, float]
) -> Flow:
    """Route water from every cell to an outlet, through depressions where there are any.

    Priority-flood of Barnes, Lehman and Mulla 2014: cells are reached from the outlets in the
    order of their height, and drain to the cell they were reached from.

    Args:
        height_m: `(h, w)` heights.
        outlets: `(h, w)` cells where water leaves; at least one.
        inflow: Water that enters at a flat index, in cells.
    """
    rows, cols = height_m.shape
    wide = cols + 2
    padded = np.pad(height_m, 1).ravel().tolist()
    done = bytearray(np.pad(np.zeros((rows, cols), np.uint8), 1, constant_values=1).tobytes())
    receiver = np.zeros((rows + 2) * wide, dtype=np.int64).tolist()
    heap: list[tuple[float, int]] = []
    for index in np.flatnonzero(np.pad(outlets, 1)).tolist():
        done[index] = 1
        receiver[index] = index
        heap.append((padded[index], index))
    heapq.heapify(heap)
    order: list[int] = []
    steps = (-wide, wide, -1, 1, -wide - 1, -wide + 1, wide - 1, wide + 1)
    while heap:
        level, index = heapq.heappop(heap)
        order.append(index)
        for step in steps:
            near = index + step
            if not done[near]:
                done[near] = 1
                receiver[near] = index
                heapq.heappush(heap, (max(padded[near], level + 1e-4), near))
    water = [1.0] * len(padded)
    for cell, amount in inflow.items():
        water[(cell // cols + 1) * wide + cell % cols + 1] += amount
    for index in reversed(order):
        if receiver[index] != index:
            water[receiver[index]] += water[index]
    inner = np.arange(len(padded)).reshape(rows + 2, wide)[1:-1, 1:-1].ravel()
    flat = np.zeros(len(padded), dtype=np.int64)
    flat[inner] = np.arange(rows * cols)
    return Flow(flat[np.array(receiver)[inner]], flat[np.array(order)], np.array(water)[inner])


def erode(
    height_m: NDArray[np.float64],
    outlets: NDArray[np.bool_],
    inflow: dict[int, float],
    *,
    steps: int,
    strength: float,
) -> NDArray[np.float64]:
    """Cut valleys by the stream-power law, implicitly, as Braun and Willett 2013.

    Args:
        height_m: `(h, w)` heights.
        outlets: `(h, w)` cells whose height stays.
        inflow: See `route_flow`.
        steps: Number of time steps.
        strength: Erodibility times the length of a step, over the cell size.

    Returns:
        `(h, w)` eroded heights.
    """
    shape = height_m.shape
    current = height_m
    for _ in range(steps):
        flow = route_flow(current, outlets, inflow)
        factor = (strength * np.sqrt(flow.accumulation)).tolist()
        heights = current.ravel().tolist()
        receiver = flow.receiver.tolist()
        for index in flow.order.tolist():
            below = heights[receiver[index]]
            if heights[index] > below:
                heights[index] = (heights[index] + factor[index] * below) / (1 + factor[index])
        current = np.array(heights).reshape(shape)
    return current
