"""Degraded data sets: originals and their degraded copies as pictures, with a list."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from app.comparison.images import Image
from app.comparison.request import SCALE, ComparisonRequest, Level
from sr.enhance.values import stored_as

__all__ = ["LIST", "keep_degraded"]

LIST = "degraded.csv"
_COLUMNS = ("image", "original", "degraded", "jpeg_quality", "noise", "blur_px", "scale", "seed")


def keep_degraded(
    folder: Path,
    name: str,
    original: Image,
    degraded: Mapping[Level, Image],
    request: ComparisonRequest,
    *,
    eight_bit: bool,
) -> None:
    """Write one image: `original/NAME.png`, `jpeg_05/NAME.png` ... `no_jpeg/NAME.png`.

    Decoded JPEG has 8 bits, and is kept as PNG so that it stays what the methods saw. The others
    have 16 bits where that keeps more.

    Args:
        folder: An existing folder.
        name: Of the image.
        original: The cropped original.
        degraded: By level.
        request: Settings of the study.
        eight_bit: Whether the original has 8 bits.
    """
    first = _write(folder / "original" / f"{name}.png", original, eight_bit=eight_bit)
    fresh = not (folder / LIST).exists()
    with (folder / LIST).open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(_COLUMNS)
        for level, image in degraded.items():
            part = "no_jpeg" if level is None else f"jpeg_{level:02d}"
            path = _write(folder / part / f"{name}.png", image, eight_bit=level is not None)
            files = [str(x.relative_to(folder)) for x in (first, path)]
            quality = "" if level is None else level
            writer.writerow(
                [name, *files, quality, request.noise, request.blur_px, SCALE, request.seed]
            )


def _write(path: Path, image: Image, *, eight_bit: bool) -> Path:
    path.parent.mkdir(exist_ok=True)
    stored = stored_as(image, np.dtype(np.uint8 if eight_bit else np.uint16))
    if not cv2.imwrite(str(path), cv2.cvtColor(stored, cv2.COLOR_RGB2BGR)):
        raise OSError(f"expected to write {path}, the picture could not be written")
    return path
