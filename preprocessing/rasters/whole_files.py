"""Whether a TIFF that was written is all there: GDAL does not say if its last writes failed."""

from __future__ import annotations

import os
from pathlib import Path

from preprocessing.errors import NoSpaceError, UnreadableRasterError
from preprocessing.rasters.opening import opened

__all__ = ["check_whole"]


def check_whole(path: Path, *, masked: bool) -> None:
    """Bring a TIFF to the disk and see that every block of every level lies within the file.

    Args:
        path: A file that was written and closed, no block of which was left out.
        masked: Whether it has an internal mask.

    Raises:
        NoSpaceError: Parts are missing.
        OSError: The system could not write it.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
    size = path.stat().st_size
    try:
        with opened(str(path)) as dataset:
            levels = 1 + len(dataset.overviews(1))
        for directory in range(1, levels * (2 if masked else 1) + 1):
            _check_directory(f"GTIFF_DIR:{directory}:{path.absolute()}", size)
    except (UnreadableRasterError, _MissingBlockError) as err:
        raise NoSpaceError(
            f"expected {path.parent} to have room for what is written there, the end of a file is "
            "missing; free some disk and go on with --resume"
        ) from err


class _MissingBlockError(Exception):
    """A block is not in the file."""


def _check_directory(name: str, size: int) -> None:
    with opened(name) as dataset:
        height, width = dataset.block_shapes[0]
        for row in range(-(-dataset.height // height)):
            for col in range(-(-dataset.width // width)):
                offset, count = (
                    int(dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", 1) or 0)
                    for what in ("OFFSET", "SIZE")
                )
                if not offset or offset + count > size:
                    raise _MissingBlockError(f"block {row}, {col} of {name}")
