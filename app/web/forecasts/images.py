"""The images that a forecast may start from: those of a run, or what was uploaded."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.runs import Kind, RunFolder
from preprocessing.errors import RequestError
from preprocessing.rasters.io import RasterSource

__all__ = ["Dated", "Images", "images_of_run", "keep"]


@dataclass(frozen=True)
class Dated:
    """An image and its year."""

    year: int
    path: Path


@dataclass(frozen=True)
class Images:
    """Dated images of one place.

    Attributes:
        key: Differs between places.
        title: What to call it.
        dated: By year, oldest first.
        bands: Red, green and blue, where somebody chose them.
        value_range: Black and white, where somebody said it.
    """

    key: str
    title: str
    dated: tuple[Dated, ...]
    bands: tuple[int, int, int] | None = None
    value_range: tuple[float, float] | None = None

    @property
    def years(self) -> list[int]:
        """Years that were observed."""
        return sorted({one.year for one in self.dated})

    @property
    def located(self) -> bool:
        """Whether they have a place on Earth."""
        return self.source(self.dated[-1].path).grid.crs is not None

    def source(self, path: Path) -> RasterSource:
        """One of them, opened."""
        return RasterSource.open(path, bands=self.bands, value_range=self.value_range)


def images_of_run(folder: RunFolder) -> Images:
    """The images of a run, with those of later years that it did not see.

    Raises:
        RequestError: One of them cannot be read any more.
    """
    if folder.kind is Kind.fetch:
        return _fetched(folder)
    request = folder.read_request()
    paths = [folder.path / path for path in request.images]
    paths += sorted(folder.later.glob("*")) if folder.later.is_dir() else []
    dated = []
    for path in paths:
        source = RasterSource.open(path, bands=request.bands, value_range=request.value_range)
        last = path == folder.path / request.images[-1]
        if request.year is not None and last:
            dated.append(Dated(request.year, path))
        elif source.date is not None:
            dated.append(Dated(source.date.year, path))
    dated.sort(key=lambda one: one.year)
    title = Path(request.images[-1]).name
    return Images(folder.path.name, title, tuple(dated), request.bands, request.value_range)


def _fetched(folder: RunFolder) -> Images:
    """The images of a run that fetched them."""
    dated = []
    for path in sorted(folder.result.glob("*.tif")):
        source = RasterSource.open(path)
        if source.date is not None:
            dated.append(Dated(source.date.year, path))
    if not dated:
        raise RequestError("expected images that were fetched, there are none; fetch them again")
    return Images(folder.path.name, dated[-1].path.name, tuple(dated))


def keep(images: Images, folder: RunFolder, *, start: int) -> tuple[Path, ...]:
    """Put images into the folder of a run; later ones where the forecast does not see them.

    Returns:
        Those up to the start, as seen from the folder; each has its year in its name.
    """
    kept = []
    for one in images.dated:
        later = one.year > start
        target = folder.later if later else folder.uploads
        target.mkdir(exist_ok=True)
        path = target / one.path.name
        if path.exists():
            raise RequestError(f"expected images of different names, two are called {path.name}")
        try:
            os.link(one.path, path)
        except OSError:
            shutil.copyfile(one.path, path)
        if not later:
            kept.append(path.relative_to(folder.path))
    return tuple(kept)
