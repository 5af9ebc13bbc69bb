"""Several observations of the same ground become one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["masked_median"]


def masked_median(
    stack: NDArray[Any], clear: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Median over the clear observations of each pixel, band by band.

    Of an even number the mean of the two in the middle is taken, halves rounded up. Memory is one
    copy of the stack.

    Args:
        stack: `(n, c, h, w)` unsigned integers of at most 16 bits.
        clear: `(n, h, w)`; which observations count.

    Returns:
        `(c, h, w)` of the stack's type, 0 where nothing counts, and `(h, w)` bool where something
        does.
    """
    count = clear.sum(axis=0)
    valid = np.asarray(count > 0)
    if stack.shape[0] == 0:
        return np.zeros(stack.shape[1:], stack.dtype), valid
    # What does not count is sorted behind everything that does.
    ordered = np.where(clear[:, None], stack, np.iinfo(stack.dtype).max)
    ordered.sort(axis=0)
    below = np.maximum(count - 1, 0) // 2
    above = np.minimum(count // 2, np.maximum(count - 1, 0))
    lower = np.take_along_axis(ordered, below[None, None], axis=0)[0].astype(np.uint32)
    upper = np.take_along_axis(ordered, above[None, None], axis=0)[0].astype(np.uint32)
    middle = ((lower + upper + 1) // 2).astype(stack.dtype)
    middle[:, ~valid] = 0
    return middle, valid
