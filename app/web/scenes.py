"""What the page works on: the demo scene or an uploaded image."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from preprocessing.errors import DateError
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.opening import check_upload

__all__ = ["Scene", "demo_images", "scene_of_images", "scene_of_upload"]

MOST_PIXELS = 25_000_000
"""Of an uploaded image: so many take a minute a year and member, and 1 GB of disk."""


@dataclass(frozen=True)
class Scene:
    """Dated images of one place.

    Attributes:
        title: What to call it.
        images: `(year, path)`, oldest first.
        grid: Grid of the newest image.
        value_range: Stored values that mean black and white.
    """

    title: str
    images: tuple[tuple[int, Path], ...]
    grid: Grid
    value_range: tuple[float, float]

    @property
    def years(self) -> tuple[int, ...]:
        """Years that were observed."""
        return tuple(year for year, _ in self.images)

    def path(self, year: int) -> Path:
        """The image of an observed year."""
        return dict(self.images)[year]


def scene_of_images(title: str, paths: Sequence[Path]) -> Scene:
    """A scene of images that say their own year.

    Raises:
        RequestError: A file cannot be read, or does not say its year.
    """
    opened = [_dated(RasterSource.open(path)) for path in paths]
    images = sorted((year, Path(source.path)) for year, source in opened)
    encoding = opened[-1][1].encoding
    return Scene(title, tuple(images), opened[-1][1].grid, (encoding.low, encoding.high))


def scene_of_upload(
    path: Path, *, year: int | None = None, value_range: tuple[float, float] | None = None
) -> Scene:
    """A scene of one uploaded image.

    Raises:
        UnreadableRasterError: It is no image by its content, or too large.
        DateError: Neither the file nor `year` says when it was taken.
        ValueRangeError: Neither the file nor `value_range` says what is black and white.
        RequestError: It is not a raster of three bands.
    """
    check_upload(path, most_pixels=MOST_PIXELS)
    found, source = _dated(RasterSource.open(path, year=year, value_range=value_range))
    limits = (source.encoding.low, source.encoding.high)
    return Scene(path.name, ((found, path),), source.grid, limits)


def demo_images() -> list[Path]:
    """The demo scene's yearly images, made once and kept in the user's cache folder."""
    folder = _cache_folder() / f"demo-{version('landcast')}"
    if not folder.is_dir():
        from app.forecasts.demo import demo_scene  # brings torch

        part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
        try:
            demo_scene(part)
            os.replace(part, folder)
        except OSError:  # another process was faster, or the folder cannot be written
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return sorted(folder.glob("scene_*.tif"))


def _dated(source: RasterSource) -> tuple[int, RasterSource]:
    if source.date is None:
        raise DateError(
            f"expected the year of {Path(source.path).name} in its metadata or name, found none; "
            "say in which year it was taken"
        )
    return source.date.year, source


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "landcast"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="landcast-"))
    return folder
