"""A folder of dated rasters as a list of images: its subfolders are places."""

from __future__ import annotations

import math
from pathlib import Path

from preprocessing.errors import DateError, MissingFileError, RequestError
from preprocessing.preparation.manifest import ManifestImage
from preprocessing.rasters.dates import check_observed
from preprocessing.rasters.image_source import Reading

__all__ = ["RASTER_SUFFIXES", "read_folder"]

RASTER_SUFFIXES = {".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg", ".vrt", ".img", ".webp"}
"""Endings, in lower case, by which rasters are found in folders."""


def read_folder(folder: str | Path, reading: Reading | None = None) -> list[ManifestImage]:
    """List the dated rasters of a folder.

    Each subfolder is a place; rasters that lie in the folder itself are one more place, which has
    the folder's name, as the data set has. Dates come from metadata or file names.

    Raises:
        MissingFileError: No such folder.
        DateError: A file's date is not known.
        RequestError: A file cannot be read, or no place has two rasters.
    """
    folder, reading = Path(folder), reading or Reading()
    if not folder.is_dir():
        raise MissingFileError(f"expected a folder of dated rasters, found none at {folder}")
    name = folder.resolve().name
    places = {name: _rasters(folder)}
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            places.setdefault(child.name, []).extend(_rasters(child))
    images = [
        _image(path, dataset=name, place=place, reading=reading)
        for place, paths in places.items()
        for path in paths
    ]
    if not any(len(paths) > 1 for paths in places.values()):
        raise RequestError(
            f"expected at least two dated rasters of one place in {folder} or a folder in it, "
            f"got {len(images)} in all; rasters of other places go into other folders"
        )
    return images


def _rasters(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in RASTER_SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    )


def _image(path: Path, *, dataset: str, place: str, reading: Reading) -> ManifestImage:
    source = reading.open(path)
    if source.date is None:
        raise DateError(
            f"expected a date for {path}, neither its metadata nor its name says one; "
            "name it like place_2016.tif, or list the images with their dates in a manifest"
        )
    check_observed(source.date, path)
    return ManifestImage(dataset, place, source.date, path, None, math.nan)
