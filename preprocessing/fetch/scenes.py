"""One observation of a place: what is needed of a STAC item to read it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from preprocessing.fetch.catalogues import BandSource, Collection, Composition

__all__ = ["Scene", "UnusableItemError", "newest_processing", "scene_of"]

Properties = Mapping[str, Any]


class UnusableItemError(ValueError):
    """An item lacks something; the message says what."""


@dataclass(frozen=True)
class Scene:
    """One item of a catalogue, its assets resolved.

    Attributes:
        id: Of the item.
        when: Time of acquisition.
        footprint: GeoJSON geometry in degrees.
        hrefs: Addresses of the three bands shown as red, green and blue.
        indexes: One-based band of each within its file.
        quality: Address of the quality band, or None.
        add: What to add to stored values to have them in the collection's scale and offset.
        cloud_percent: Stated share of clouds; 100 where the item does not say.
        second_rate: Landsat Tier 2, whose position is less sure.
        tile: Tile or path and row, where the item says.
        processing: Version of the processing, for telling repetitions apart.
    """

    id: str
    when: dt.datetime
    footprint: Mapping[str, Any]
    hrefs: tuple[str, str, str]
    indexes: tuple[int, int, int]
    quality: str | None = None
    add: int = 0
    cloud_percent: float = 100.0
    second_rate: bool = False
    tile: str = ""
    processing: str = ""


def scene_of(item: Mapping[str, Any], profile: Collection, composition: Composition) -> Scene:
    """Resolve a STAC item.

    Raises:
        UnusableItemError: A band, its footprint, its date or its scale is not stated.
    """
    properties: Properties = item.get("properties") or {}
    if not item.get("geometry"):
        raise UnusableItemError("has no footprint")
    sources = [profile.bands[colour] for colour in profile.colours(composition)]
    assets = [_asset(item, source) for source in sources]
    quality = None
    if profile.mask is not None:
        quality = _href(item, _asset(item, BandSource(profile.mask_assets)))
    adds = {_add(properties, asset, profile) for asset in assets}
    if len(adds) > 1:
        raise UnusableItemError(f"has bands of different offsets {sorted(adds)}")
    first, second, third = (_href(item, asset) for asset in assets)
    cloud = properties.get("eo:cloud_cover")
    tile = properties.get("grid:code") or properties.get("s2:mgrs_tile") or ""
    if "landsat:wrs_path" in properties:
        tile = f"{properties['landsat:wrs_path']}/{properties.get('landsat:wrs_row')}"
    return Scene(
        id=str(item["id"]),
        when=_when(properties),
        footprint=item["geometry"],
        hrefs=(first, second, third),
        indexes=(sources[0].index, sources[1].index, sources[2].index),
        quality=quality,
        add=adds.pop(),
        cloud_percent=100.0 if cloud is None else float(cloud),
        second_rate=properties.get("landsat:collection_category") == "T2",
        tile=str(tile),
        processing=str(properties.get("s2:processing_baseline", "")),
    )


def newest_processing(scenes: Iterable[Scene]) -> list[Scene]:
    """Of scenes of one tile and moment, which differ only in processing, keep the newest."""
    best: dict[tuple[str, object], Scene] = {}
    for scene in scenes:
        key = (scene.tile, scene.when) if scene.tile else (scene.id, None)
        rival = best.get(key)
        if rival is None or (scene.processing, scene.id) > (rival.processing, rival.id):
            best[key] = scene
    return list(best.values())


def _asset(item: Mapping[str, Any], source: BandSource) -> Mapping[str, Any]:
    assets: Mapping[str, Mapping[str, Any]] = item.get("assets") or {}
    for name in source.assets:
        if assets.get(name, {}).get("href"):
            return assets[name]
    raise UnusableItemError(f"has no asset {' or '.join(source.assets)}")


def _href(item: Mapping[str, Any], asset: Mapping[str, Any]) -> str:
    own = [link["href"] for link in item.get("links") or () if link.get("rel") == "self"]
    href = str(asset["href"])
    return urljoin(own[0], href) if own and "://" not in href else href


def _when(properties: Properties) -> dt.datetime:
    text = properties.get("datetime") or properties.get("start_datetime")
    try:
        when = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as err:
        raise UnusableItemError(f"has no date, but {text!r}") from err
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _add(properties: Properties, asset: Mapping[str, Any], profile: Collection) -> int:
    """What brings stored values to the collection's scale and offset."""
    if profile.scale is None:
        return 0
    if properties.get("earthsearch:boa_offset_applied") or properties.get(
        "sentinel:boa_offset_applied"
    ):
        return 0
    scale, offset = _stated(asset)
    if scale is not None and not math.isclose(scale, profile.scale, rel_tol=1e-6):
        raise UnusableItemError(f"is stored in steps of {scale}, expected {profile.scale}")
    if offset is None and profile.mask == "scl":
        # Since processing baseline 04.00 (25 January 2022, and all that was processed again since)
        # Sentinel-2 values are 1000 higher, so that dark pixels need not be negative.
        baseline = str(properties.get("s2:processing_baseline", ""))
        try:
            offset = -0.1 if float(baseline) >= 4 else 0.0
        except ValueError:
            raise UnusableItemError(
                "states neither its offset nor its processing baseline"
            ) from None
    offset = profile.offset if offset is None else offset
    return round((offset - profile.offset) / profile.scale)


def _stated(asset: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Scale and offset by the raster extension, version 1 or 2."""
    for holder in (*(asset.get("raster:bands") or ()), *(asset.get("bands") or ()), asset):
        scale = holder.get("scale", holder.get("raster:scale"))
        offset = holder.get("offset", holder.get("raster:offset"))
        if scale is not None or offset is not None:
            return (
                None if scale is None else float(scale),
                None if offset is None else float(offset),
            )
    return None, None
