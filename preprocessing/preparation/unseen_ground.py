"""Why two images have no ground that is seen at both dates."""

from __future__ import annotations

import numpy as np

from preprocessing.errors import NoOverlapError, NoValidPixelsError
from preprocessing.rasters.image_source import ImageSource
from preprocessing.rasters.window import Window
from preprocessing.registration.common_grid import no_overlap

__all__ = ["why_nothing"]


def why_nothing(
    earlier: ImageSource, later: ImageSource, first: ImageSource, second: ImageSource
) -> NoOverlapError | NoValidPixelsError | None:
    """The error to show where no pixel was seen at both dates; None if some were.

    Looked for in a bounded number of blocks.

    Args:
        earlier: Image to name in the message.
        later: The same of the later date.
        first: The earlier image on the common grid.
        second: The later image on the common grid.
    """
    rows = np.linspace(0, max(first.grid.height - 512, 0), 4).astype(int)
    cols = np.linspace(0, max(first.grid.width - 512, 0), 4).astype(int)
    seen = [False, False]
    for row in np.unique(rows).tolist():
        for col in np.unique(cols).tolist():
            window = Window(row, col, min(512, first.grid.height), min(512, first.grid.width))
            valid = [image.read(window).valid for image in (first, second)]
            if (valid[0] & valid[1]).any():
                return None
            seen = [seen[i] or bool(valid[i].any()) for i in (0, 1)]
    for image, any_seen in zip((earlier, later), seen, strict=True):
        if not any_seen:
            return NoValidPixelsError(
                f"expected an image, every pixel of {image.name} on the common ground is nodata or "
                "masked; check its nodata value, masks and clouds, or use another date"
            )
    return no_overlap(earlier, later)
