"""Which of GDAL's drivers may open a local file, by what it contains."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from preprocessing.rasters.mosaics import check_mosaic, is_mosaic
from preprocessing.rasters.outside import outside_allowed

__all__ = ["driver_of", "drivers_of"]

_BEGINNINGS = (
    (b"II*\0", "GTiff"),
    (b"MM\0*", "GTiff"),
    (b"II+\0", "GTiff"),
    (b"MM\0+", "GTiff"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JP2OpenJPEG"),
    (b"\xff\x4f\xff\x51", "JP2OpenJPEG"),
)
_ELSEWHERE = frozenset(
    {"WMS", "WMTS", "WCS", "PLMOSAIC", "DAAS", "EEDA", "EEDAI", "HTTP", "STACIT", "STACTA"}
    | {"MRF", "GTI", "OGCAPI", "NGW", "VRT"}
)


def drivers_of(path: Path, known: Collection[str]) -> list[str] | None:
    """The drivers that may open a local file; None for all.

    The common formats are told by their first bytes and opened as nothing else. Files that only
    name pixels elsewhere are not opened, but for mosaics that call themselves `.vrt` and stay on
    this machine, see `check_mosaic`.

    Raises:
        OutsideError: A mosaic leads elsewhere.
    """
    if path.is_file():
        driver = driver_of(path)
        if driver is not None:
            return [driver]
    if outside_allowed():
        return None
    if path.suffix.lower() == ".vrt" and path.is_file() and is_mosaic(path):
        check_mosaic(path)
        return ["VRT"]
    return sorted(set(known) - _ELSEWHERE)


def driver_of(path: Path) -> str | None:
    """The driver of a GeoTIFF, PNG, JPEG or JPEG 2000 by its first bytes; None for all others."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((driver for start, driver in _BEGINNINGS if head.startswith(start)), None)
