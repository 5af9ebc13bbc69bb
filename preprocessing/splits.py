"""Train and validation by place: what was trained on is never scored on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from preprocessing.grid import Window

__all__ = ["gap_px", "split_blocks", "split_places"]


def split_places(places: Iterable[str], *, val_share: float, seed: int = 0) -> dict[str, str]:
    """Give each place, with all its dates and tiles, to one split.

    Args:
        places: Names; order and repetition do not matter.
        val_share: Share of the places for validation, 0..1. A share above 0 gets at least one
            place as long as one is left for training.
        seed: Chooses the places.

    Returns:
        Split name by place.

    Raises:
        ValueError: The share is not 0 to below 1.
    """
    _check_share(val_share)
    names = sorted(set(places))
    order = np.random.default_rng(seed).permutation(len(names))
    count = min(_count(val_share, len(names)), max(len(names) - 1, 0))
    held = {names[i] for i in order[:count]}
    return {name: "val" if name in held else "train" for name in names}


def split_blocks(
    windows: Sequence[Window], *, val_share: float, seed: int = 0, guard_px: int = 128
) -> list[str | None]:
    """Split the tiles of one region into a compact validation corner and the rest.

    Args:
        windows: Tiles of one plan.
        val_share: Share of the tiles for validation, 0..1.
        seed: Chooses the corner.
        guard_px: Least gap between a train and a validation tile.

    Returns:
        For each tile `"train"`, `"val"`, or None where it lies in the strip between both, which
        belongs to neither.

    Raises:
        ValueError: The share is not 0 to below 1.
    """
    _check_share(val_share)
    if val_share == 0 or not windows:
        return ["train"] * len(windows)
    bottom = max(w.row + w.height for w in windows)
    right = max(w.col + w.width for w in windows)
    down, across = np.random.default_rng(seed).integers(0, 2, size=2)

    def from_corner(window: Window) -> float:
        row = bottom - window.row - window.height if down else window.row
        col = right - window.col - window.width if across else window.col
        return max(row / bottom, col / right)

    order = sorted(range(len(windows)), key=lambda i: from_corner(windows[i]))
    held = set(order[: _count(val_share, len(windows))])
    held_windows = [windows[i] for i in held]
    return [
        "val"
        if i in held
        else "train"
        if all(gap_px(window, other) >= guard_px for other in held_windows)
        else None
        for i, window in enumerate(windows)
    ]


def gap_px(first: Window, second: Window) -> int:
    """Pixels between two windows along the axis that parts them most; negative if they overlap."""
    rows = max(first.row - second.row - second.height, second.row - first.row - first.height)
    cols = max(first.col - second.col - second.width, second.col - first.col - first.width)
    return max(rows, cols)


def _count(share: float, total: int) -> int:
    return max(1, round(share * total)) if share > 0 else 0


def _check_share(val_share: float) -> None:
    if not 0 <= val_share < 1:
        raise ValueError(f"expected a val_share of 0 to below 1, got {val_share}")
