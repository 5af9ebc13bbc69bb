"""The images that a STAC collection names, and when they were taken."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import unquote, urlparse

import pystac

from preprocessing.errors import RequestError
from preprocessing.pairs.location import is_remote
from preprocessing.preparation.image_folder import RASTER_SUFFIXES
from preprocessing.rasters.dates import date_of_item

__all__ = ["images_of_collection"]

_BROKEN = (
    *(pystac.STACError, pystac.STACTypeError, OSError, RecursionError),
    *(ValueError, KeyError, TypeError, AttributeError),
)
"""What pystac raises of files that are no STAC."""
_FORECAST = "forecast:"


def images_of_collection(path: Path) -> dict[str | Path, dt.date]:
    """The raster of each item of a STAC collection or catalogue, or of one item, and its date.

    Of several rasters the one to be looked at (`visual`), else the first of the data.

    Args:
        path: A JSON file.

    Returns:
        Dates by path or address, in the order of the items.

    Raises:
        RequestError: It cannot be read, an item names no raster, or it is a forecast.
        DateError: An item states no date, see `date_of_item`.
    """
    try:
        made = pystac.read_file(str(path))
        items = [made] if isinstance(made, pystac.Item) else []
        if isinstance(made, pystac.Catalog):  # A collection is one too.
            items = list(made.get_items(recursive=True))
    except _BROKEN as err:
        raise RequestError(
            f"expected a STAC collection, catalogue or item in {path}, got "
            f"{type(err).__name__}: {err}; mend it, or name the images themselves"
        ) from err
    found: dict[str | Path, dt.date] = {}
    for item in items:
        stated = item.to_dict(include_self_link=False, transform_hrefs=False)["properties"]
        if any(name.startswith(_FORECAST) for name in stated):
            raise RequestError(
                f"expected images that have been taken, {path} is a forecast; name the images that "
                "it was made from"
            )
        named = f"item {item.id} of {path}"
        found[_raster_of(item, named)] = date_of_item(stated, named)
    return found


def _raster_of(item: pystac.Item, named: str) -> str | Path:
    def rank(of: tuple[str, pystac.Asset]) -> tuple[bool, bool]:
        key, asset = of
        roles = asset.roles or ()
        return "visual" not in (key, *roles), "data" not in roles

    rasters = [
        (key, asset)
        for key, asset in item.assets.items()
        if Path(urlparse(asset.href).path).suffix.lower() in RASTER_SUFFIXES
    ]
    if not rasters:
        raise RequestError(
            f"expected a raster among the assets of {named}, got "
            f"{', '.join(asset.href for asset in item.assets.values()) or 'none'}; name the images "
            "themselves"
        )
    href = str(min(rasters, key=rank)[1].get_absolute_href())
    if href.startswith("file://"):
        return Path(unquote(urlparse(href).path))
    return href if is_remote(href) else Path(href)
