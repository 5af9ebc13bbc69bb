"""What lies between fields: hedges, tracks and baulks, the same every year."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.objects.setting import Setting
from preprocessing.simulator.seeds import hash_unit

__all__ = ["Borders", "draw_borders"]


@dataclass(frozen=True)
class Borders:
    """Lines between fields on fine pixels, `(h, w)` float32 strength 0..1.

    Attributes:
        hedge: Trees and shrubs.
        track: Farm tracks of bare ground.
        baulk: Strips of rough grass.
    """

    hedge: NDArray[np.float32]
    track: NDArray[np.float32]
    baulk: NDArray[np.float32]


def draw_borders(setting: Setting, owner: NDArray[np.int32], gaps: NDArray[np.float32]) -> Borders:
    """Draw the borders of this year's fields.

    Args:
        setting: The unchanging part of the world.
        owner: `(h, w)` field of each pixel; a border vanishes where fields have merged.
        gaps: `(h, w)` static noise that interrupts hedges.
    """
    block = setting.parcels.block
    edge = np.zeros(owner.shape, dtype=bool)
    pair = np.zeros(owner.shape, dtype=np.int64)
    lane = np.zeros(owner.shape, dtype=bool)
    for here, there in (
        ((slice(None), slice(0, -1)), (slice(None), slice(1, None))),
        ((slice(0, -1), slice(None)), (slice(1, None), slice(None))),
    ):
        a, b = owner[here], owner[there]
        differ = a != b
        edge[here] |= differ
        low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b)
        pair[here] = np.where(differ, low * 1_000_003 + high, pair[here])
        lane[here] |= block[here] != block[there]
    kind = hash_unit(pair, setting.config.seed + 41)
    open_land = setting.region.regularity * 0.7
    hedged = np.float32(0.36 * (1.0 - open_land))
    track = edge & np.where(lane, kind > 0.45, kind > 0.93)
    hedge = edge & (kind < hedged) & (gaps > -0.7)
    baulk = edge & ~track & ~hedge & (kind < 0.82)
    return Borders(
        _soft(hedge, setting.frame.px(11.0)),
        _soft(track, setting.frame.px(5.0)),
        _soft(baulk, setting.frame.px(5.0)),
    )


def _soft(mask: NDArray[np.bool_], wide_px: float) -> NDArray[np.float32]:
    size = max(1, round(wide_px))
    lines = cv2.dilate(mask.astype(np.float32), np.ones((size, size), np.uint8))
    return np.asarray(cv2.GaussianBlur(lines, (0, 0), 0.6), dtype=np.float32)
