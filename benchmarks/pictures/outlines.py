"""How far the outlines of changed ground lie from the true ones, at full resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt
from torch import Tensor
from torch.nn import functional

__all__ = ["changed_pixels", "outline_distance_px", "outline_distances_px"]

_LEVEL = 20 / 255
_WINDOW_PX = 3


def changed_pixels(image: Tensor, observed: Tensor, *, level: float = _LEVEL) -> Tensor:
    """Pixels around which two pictures differ by more than `level`.

    Root mean square over bands and 3x3 pixels.

    Args:
        image: `(b, 3, h, w)`, 0..1.
        observed: The same, today.
        level: In units of 0..1.

    Returns:
        `(b, h, w)` bool.
    """
    square = (image - observed).square().mean(dim=1, keepdim=True)
    pad = _WINDOW_PX // 2
    local = functional.avg_pool2d(square, _WINDOW_PX, 1, pad, count_include_pad=False)
    return (local.sqrt() > level)[:, 0]


def outline_distance_px(
    found: NDArray[np.bool_], true: NDArray[np.bool_], *, most_px: float = 16.0
) -> float:
    """Mean distance of two outlines, both ways (symmetric chamfer distance).

    An outline is the changed pixels with an unchanged one beside them; the edge of the picture is
    none.

    Args:
        found: `(h, w)`, where a picture changed.
        true: `(h, w)`, where the truth did.
        most_px: Larger distances count as this, so that one speck does not decide.

    Returns:
        Pixels; NaN where the truth has no outline, `most_px` where only `found` has none.
    """
    ours, theirs = _outline(found), _outline(true)
    if not theirs.any():
        return float("nan")
    if not ours.any():
        return most_px
    to_theirs, to_ours = (distance_transform_edt(~line) for line in (theirs, ours))
    there = np.minimum(to_theirs[ours], most_px).mean()
    back = np.minimum(to_ours[theirs], most_px).mean()
    return float((there + back) / 2)


def _outline(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner: NDArray[np.bool_] = binary_erosion(changed, border_value=1)
    return changed & ~inner


def outline_distances_px(image: Tensor, truth: Tensor, observed: Tensor) -> NDArray[np.float64]:
    """`outline_distance_px` of the change of each picture `(b, 3, h, w)` from today: `(b,)`."""
    pairs = zip(
        changed_pixels(image, observed).cpu().numpy(),
        changed_pixels(truth, observed).cpu().numpy(),
        strict=True,
    )
    return np.array([outline_distance_px(found, true) for found, true in pairs])
