"""The pattern of parcels: blocks of land, each cut into fields in its own direction."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from preprocessing.simulator.config import Region
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.landform.frame import Frame
from preprocessing.simulator.seeds import generator, hash_unit

__all__ = ["Parcels", "build_parcels"]


@dataclass(frozen=True)
class Parcels:
    """Who owns which ground.

    Attributes:
        label: `(h, w)` int32 parcel of each fine pixel, `0..count-1`.
        block: `(h, w)` int32 block of parcels.
        along_m: `(h, w)` metres along the direction of the block's fields.
        across_m: `(h, w)` metres across it.
        lot: `(h, w)` int32 building lot, about 55 x 75 m.
        count: Number of parcels.
        neighbours: `(n, 2)` pairs of parcels with a common border.
    """

    label: NDArray[np.int32]
    block: NDArray[np.int32]
    along_m: NDArray[np.float32]
    across_m: NDArray[np.float32]
    lot: NDArray[np.int32]
    count: int
    neighbours: NDArray[np.int64]


def build_parcels(frame: Frame, region: Region, seed: int) -> Parcels:
    """Divide the whole map into blocks and parcels."""
    rng = generator(seed, "parcels")
    block = _blocks(frame, region, rng)
    count = int(block.max()) + 1
    loose = 1.0 - region.regularity
    row, col = np.indices(frame.shape, dtype=np.float32)
    drift = fractal_noise(frame.shape, rng, slope=2.5, largest_px=frame.px(2500.0), smallest_px=40)
    index = np.arange(count)
    mean_drift = ndimage.mean(drift, block, index)
    turn = rng.normal(0.0, 0.28, count) * loose + 0.5 * loose * mean_drift
    quarter = rng.random(count) < 0.4
    angle = region.field_angle + turn + quarter * (np.pi / 2)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    along = (col * cos[block] + row * sin[block]) * np.float32(frame.fine_m)
    across = (row * cos[block] - col * sin[block]) * np.float32(frame.fine_m)
    width = region.field_width_m * np.exp(rng.normal(0.0, 0.32 + 0.12 * loose, count))
    length = region.field_length_m * np.exp(rng.normal(0.0, 0.25 + 0.1 * loose, count))
    width = np.clip(width, 32.0, 320.0).astype(np.float32)
    length = np.clip(length, 90.0, 600.0).astype(np.float32)
    shift = rng.random((2, count)).astype(np.float32)
    # Strips have unequal widths: a third of the borders between two strips is missing.
    strip = np.floor(across / width[block] + shift[0, block]).astype(np.int64)
    strip -= hash_unit(block.astype(np.int64) * 4099 + strip, seed + 11) < 0.34
    piece = np.floor(
        along / length[block]
        + shift[1, block]
        + 0.8 * loose * hash_unit(block.astype(np.int64) * 4099 + strip, seed + 12)
    ).astype(np.int64)
    key = (block.astype(np.int64) * 2048 + (strip & 2047)) * 2048 + (piece & 2047)
    label = _without_slivers(_dense(key), round(frame.px(38.0) ** 2))
    lot = _dense(
        (block.astype(np.int64) * 4096 + (np.floor(across / 55.0).astype(np.int64) & 4095)) * 4096
        + (np.floor(along / 75.0).astype(np.int64) & 4095)
    )
    return Parcels(label, block, along, across, lot, int(label.max()) + 1, _neighbours(label))


def _blocks(frame: Frame, region: Region, rng: np.random.Generator) -> NDArray[np.int32]:
    """Cells around jittered points of a turned square grid, with slightly bent edges."""
    size = frame.px(3.1 * region.field_length_m if region.regularity > 0.7 else 520.0)
    loose = 1.0 - region.regularity
    reach = int(np.hypot(frame.height, frame.width) / size / 2) + 3
    grid = np.stack(np.meshgrid(np.arange(-reach, reach), np.arange(-reach, reach)), -1)
    points = grid.reshape(-1, 2) + 0.5 + rng.uniform(-0.45, 0.45, (grid.size // 2, 2)) * loose
    turn = region.field_angle
    cos, sin = np.cos(turn), np.sin(turn)
    points = points @ np.array([[cos, sin], [-sin, cos]]) * size
    pad = int(size)
    points += np.array([frame.width, frame.height]) / 2 + pad
    canvas = np.full((frame.height + 2 * pad, frame.width + 2 * pad), 255, dtype=np.uint8)
    x, y = np.rint(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < canvas.shape[1]) & (y < canvas.shape[0])
    canvas[y[inside], x[inside]] = 0
    _, labels = cv2.distanceTransformWithLabels(
        canvas, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    row, col = np.indices(frame.shape, dtype=np.float32)
    bend = np.float32(frame.px(26.0) * loose)
    wave = {"slope": 2.4, "largest_px": frame.px(500.0), "smallest_px": frame.px(60.0)}
    dx = fractal_noise(frame.shape, rng, **wave) * bend + pad
    dy = fractal_noise(frame.shape, rng, **wave) * bend + pad
    # float32 holds labels exactly up to 2**24, and the nearest pixel is taken unchanged.
    bent = cv2.remap(
        labels.astype(np.float32),
        col + dx,
        row + dy,
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return _dense(np.asarray(bent).astype(np.int64))


def _dense(key: NDArray[np.int64]) -> NDArray[np.int32]:
    """Keys renumbered `0..n-1`."""
    return np.unique(key, return_inverse=True)[1].reshape(key.shape).astype(np.int32)


def _without_slivers(label: NDArray[np.int32], least_px: int) -> NDArray[np.int32]:
    """Parcels smaller than `least_px` go to the nearest larger one."""
    small = np.bincount(label.ravel())[label] < least_px
    if not small.any() or small.all():
        return label
    nearest = ndimage.distance_transform_edt(small, return_distances=False, return_indices=True)
    return _dense(label[nearest[0], nearest[1]].astype(np.int64))


def _neighbours(label: NDArray[np.int32]) -> NDArray[np.int64]:
    pairs = np.concatenate(
        [
            np.stack([label[:, :-1].ravel(), label[:, 1:].ravel()], axis=1),
            np.stack([label[:-1].ravel(), label[1:].ravel()], axis=1),
        ]
    ).astype(np.int64)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs.sort(axis=1)
    size = int(label.max()) + 1
    keys, counts = np.unique(pairs[:, 0] * size + pairs[:, 1], return_counts=True)
    keys = keys[counts >= 8]
    return np.stack([keys // size, keys % size], axis=1)
