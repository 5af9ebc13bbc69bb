"""Opening rasters, local or remote, with one clear error each."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError  # rasterio lets it out where it reads metadata
from rasterio.enums import Interleaving
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from preprocessing.errors import MissingFileError, TooLargeError, UnreadableRasterError
from preprocessing.rasters.drivers import driver_of, drivers_of

__all__ = ["READ_ERRORS", "check_upload", "is_local", "opened", "shown_name", "understood"]

READ_ERRORS = (RasterioError, CPLE_BaseError)
"""What rasterio raises on damaged files."""

# A scheme, a GDAL virtual file system, or a GDAL driver's prefix (more than a Windows drive).
_NOT_A_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/vsi|[A-Z][A-Z0-9_]+:")
_REMOTE = re.compile(r"(https?|s3|gs|az|abfs|oss)://|/vsi(curl|s3|gs|az|adls|oss|swift)")
# One connection per file instead of a listing of its folder, and patience with a busy server.
_REMOTE_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_TIMEOUT": "120",
}
# Read in one go, a PNG that ends too early gives made-up pixels without an error (GDAL 3.10).
_OPTIONS = {"GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO"}
_MOST_BLOCK_BYTES = 2**30
_MOST_BANDS = 64
_ELSEWHERE = {"OVERVIEWS": "overviews", "GEOLOCATION": "coordinates"}
"""Spaces of metadata in which a raster names other files."""
_NOT_FOUND = re.compile(r"\b404\b|does not exist|No such file|NoSuchKey|NoSuchBucket")


def is_local(name: str) -> bool:
    """Whether a name is a path of the local file system, not a URL or a GDAL path."""
    return _NOT_A_PATH.match(name) is None or os.path.exists(name)


def shown_name(name: str) -> str:
    """A name without the query of a URL, which may hold a signature."""
    if is_local(name) or "://" not in name:
        return name
    return urlsplit(name)._replace(query="", fragment="").geturl()


@contextmanager
def opened(name: str) -> Iterator[Any]:
    """Open a raster for reading, of any kind and at any place that GDAL knows.

    Options of GDAL for remote reads may be set in the environment; others get defaults. Buckets are
    read with the credentials of the environment (`AWS_ACCESS_KEY_ID` ...), from `AWS_ENDPOINT_URL`
    where that is set, as pair stores are.

    Args:
        name: File, `http(s)://`, `s3://` or `gs://` address, or a GDAL path.

    Yields:
        The rasterio dataset.

    Raises:
        MissingFileError: There is nothing of that name.
        UnreadableRasterError: GDAL cannot open it, or its blocks do not go into memory.
        OutsideError: It only names pixels elsewhere, see `preprocessing.rasters.drivers`.
    """
    if is_local(name) and not Path(name).exists():
        raise MissingFileError(f"expected a raster file, found nothing at {name}")
    with ExitStack() as stack:
        options = {**_OPTIONS, **(_remote_options() if _REMOTE.match(name) else {})}
        chosen = {k: v for k, v in options.items() if k not in os.environ}
        stack.enter_context(rasterio.Env(**chosen))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = stack.enter_context(_dataset(name))
        except READ_ERRORS as err:
            shown = shown_name(name)
            reason = str(err).replace(str(Path(name).absolute()), name).replace(name, shown)
            if not is_local(name) and _NOT_FOUND.search(reason):
                raise MissingFileError(
                    f"expected a raster file, found nothing at {shown} ({reason}); "
                    "check the address and whether it is public"
                ) from err
            raise UnreadableRasterError(
                f"expected a raster that GDAL reads (GeoTIFF, JPEG2000, PNG ...), got {shown}: "
                f"{reason}"
            ) from err
        _check_blocks(dataset, shown_name(name))
        yield dataset


@contextmanager
def understood(name: str) -> Iterator[None]:
    """Around what asks an open raster for its metadata, which may be damaged.

    Raises:
        UnreadableRasterError: It is.
    """
    try:
        yield
    except READ_ERRORS as err:
        raise UnreadableRasterError(
            f"expected a raster that GDAL reads, {name} is damaged ({err}); fetch or export the "
            "file again"
        ) from err


def _check_blocks(dataset: Any, name: str) -> None:
    """Refuse blocks that are too large: GDAL decodes a block whole, however few pixels are read."""
    for (height, width), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        together = dataset.count if dataset.interleaving == Interleaving.pixel else 1
        size = (
            height * width * together * np.dtype(dtype.replace("complex_int16", "int32")).itemsize
        )
        if size > _MOST_BLOCK_BYTES:
            raise UnreadableRasterError(
                f"expected blocks of at most {_MOST_BLOCK_BYTES // 2**20} MiB, {name} is stored in "
                f"blocks of {width} x {height} pixels, {size // 2**20} MiB; write it tiled, e.g. "
                "with gdal_translate -co TILED=YES"
            )


def check_upload(path: Path, *, most_pixels: int) -> None:
    """Refuse a file of a stranger that is not a GeoTIFF, PNG, JPEG or JPEG 2000 by its content.

    Args:
        path: The file.
        most_pixels: Rows times columns it may have.

    Raises:
        UnreadableRasterError: It is something else, or names another file.
        TooLargeError: It has too many pixels or bands.
    """
    driver = driver_of(path)
    if driver is None:
        raise UnreadableRasterError(
            f"expected a raster (GeoTIFF, PNG, JPEG or JPEG 2000), {path.name} is none by its "
            "content; export it as GeoTIFF"
        )
    try:
        with rasterio.Env(), DatasetReader(path, driver=driver) as dataset:
            elsewhere = _named_elsewhere(dataset)
            height, width, count = dataset.height, dataset.width, dataset.count
    except READ_ERRORS as err:
        raise UnreadableRasterError(
            f"expected a whole image, {path.name} is damaged ({err}); export it again"
        ) from err
    if height * width > most_pixels or count > _MOST_BANDS:
        raise TooLargeError(
            f"expected at most {most_pixels / 1e6:g} megapixels and {_MOST_BANDS} bands, "
            f"{path.name} has {width} x {height} pixels and {count} bands; cut it to the place, or "
            "use the command line"
        )
    if elsewhere is not None:
        raise UnreadableRasterError(
            f"expected an image of its own, {path.name} names another file for its {elsewhere}; "
            "export it again"
        )


def _named_elsewhere(dataset: Any) -> str | None:
    """What a raster has in another file, as far as GDAL would go and open that."""
    for space, part in _ELSEWHERE.items():
        if dataset.tags(ns=space):
            return part
    spaces = (None, *dataset.tag_namespaces())
    texts = [value for space in spaces for value in dataset.tags(ns=space).values()]
    return "metadata" if any("/vsi" in text for text in texts) else None


def _dataset(name: str) -> Any:
    if not is_local(name):
        return rasterio.open(name)
    # As an absolute path: what precedes a colon in a name is no scheme and no driver.
    path = Path(name).absolute()
    with rasterio.Env() as env:
        drivers = drivers_of(path, env.drivers())
    return DatasetReader(path, driver=drivers)


def _remote_options() -> dict[str, str]:
    """Options for remote reads, with the address of an object store in GDAL's words.

    An address of one's own is asked for `address/bucket/key`, since few have a name a bucket.
    """
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return _REMOTE_OPTIONS
    parts = urlsplit(url)
    return {
        **_REMOTE_OPTIONS,
        "AWS_S3_ENDPOINT": parts.netloc + parts.path.rstrip("/"),
        "AWS_HTTPS": "NO" if parts.scheme == "http" else "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }
