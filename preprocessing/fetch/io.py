"""Reading one scene through odc-stac, and what earlier composites say of themselves."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError, RasterioIOError

from preprocessing.errors import UnreadableRasterError
from preprocessing.fetch.catalogues import Collection
from preprocessing.fetch.scenes import Scene
from preprocessing.masks.clouds import clear_codes
from preprocessing.rasters.grid import Grid

__all__ = ["SceneReader", "UnreadableSceneError", "stored_tags"]

_LOG = logging.getLogger(__name__)
_OPENINGS = 2
_SIGNATURE = re.compile(r"\?[^\s'\"]+")
# GDAL remembers for the life of the process that a file was not there, or damaged.
_UNCACHED = {"CPL_VSIL_CURL_NON_CACHED": "/vsicurl/:/vsis3/:/vsigs/:/vsiaz/"}


class UnreadableSceneError(Exception):
    """The pixels of a scene could not be had; the message says why."""


@dataclass(frozen=True)
class SceneReader:
    """Reads scenes of one collection onto blocks of the target grid.

    Attributes:
        profile: Of the collection.
        signing: How addresses are signed before reading.
        timeout_s: Seconds one web request may take.
        retries: How often GDAL repeats a failed web request.
        backoff_s: First pause before repeating; it doubles.
    """

    profile: Collection
    signing: Literal["planetary-computer"] | None = None
    timeout_s: float = 60.0
    retries: int = 4
    backoff_s: float = 1.0

    def read(self, scene: Scene, grid: Grid) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read one scene, resampled to a block.

        Reflectance is brought to the collection's own scale and offset and kept off 0, which is
        nodata. Snow is ground that changes with the season: it is not masked.

        Returns:
            `(3, h, w)` in the collection's stored type; `(h, w)` bool, where the scene shows the
            ground. Elsewhere the values are 0 where nothing was observed.

        Raises:
            UnreadableSceneError: After all repetitions.
        """
        for opening in range(_OPENINGS):
            options = self._options() if opening == 0 else self._options() | _UNCACHED
            try:
                with rasterio.Env(**options):
                    return self._read(scene, grid)
            # ValueError: the file has fewer bands than the catalogue said.
            except (RasterioError, OSError, ValueError) as err:
                problem = err
                _LOG.info("reading %s failed: %s", scene.id, err)
                # Opened anew it is signed anew: a signature lasts less than an hour.
                if opening + 1 < _OPENINGS:
                    time.sleep(self.backoff_s)
        cause = problem.__cause__ or problem
        # What follows a question mark is a signature, which is nobody's business.
        said = _SIGNATURE.sub("", " ".join(str(cause).split()))
        raise UnreadableSceneError(said) from problem

    def _read(self, scene: Scene, grid: Grid) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        import odc.stac
        from odc.geo.geobox import GeoBox

        item, bands = _lean_item(scene, self.profile.dtype)
        geobox = GeoBox(grid.shape, grid.transform, grid.crs)
        loaded = odc.stac.load(
            [item],
            bands=bands,
            geobox=geobox,
            groupby="id",
            resampling={"*": "bilinear", "quality": "nearest"},
            patch_url=_signer(self.signing),
        )
        # A band named twice would be loaded once.
        values = np.stack([loaded[band].values[0] for band in bands[:3]])
        observed = (values != 0).any(axis=0)
        if self.profile.scale is not None:
            observed = (values != 0).all(axis=0)
            top = np.iinfo(values.dtype).max
            shifted = np.clip(values.astype(np.int32) + scene.add, 1, top)
            values = np.where(observed, shifted, 0).astype(values.dtype)
        if scene.quality is None or self.profile.mask is None:
            return values, observed
        quality = loaded["quality"].values[0]
        return values, observed & clear_codes(quality, self.profile.mask)

    def _options(self) -> dict[str, Any]:
        return {
            "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
            "GDAL_HTTP_TIMEOUT": str(self.timeout_s),
            "GDAL_HTTP_CONNECTTIMEOUT": str(self.timeout_s),
            "GDAL_HTTP_MAX_RETRY": str(self.retries),
            "GDAL_HTTP_RETRY_DELAY": str(self.backoff_s),
            "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        }


def stored_tags(path: Path) -> Mapping[str, str]:
    """Metadata items of a file.

    Raises:
        UnreadableRasterError: GDAL cannot open it.
    """
    try:
        with rasterio.open(path) as dataset:
            tags: dict[str, str] = dataset.tags()
    except RasterioIOError as err:
        raise UnreadableRasterError(
            f"expected an earlier composite, got {path}: {err}; delete it or pass --overwrite"
        ) from err
    return tags


def _signer(signing: str | None) -> Callable[[str], str] | None:
    if signing is None:
        return None
    import planetary_computer

    return lambda href: str(planetary_computer.sign(href))


def _lean_item(scene: Scene, dtype: str) -> tuple[Any, list[str]]:
    """An item with just the bands to read, stated the same way whatever the catalogue says.

    Catalogues differ in the names of assets and in which types and nodata they state; odc-stac
    would take that over.
    """
    import pystac

    item = pystac.Item(
        id=scene.id,
        geometry=dict(scene.footprint),
        bbox=None,
        datetime=scene.when,
        properties={},
        stac_extensions=[
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ],
    )

    def add(name: str, href: str, kind: str, count: int) -> None:
        extra: dict[str, Any] = {"raster:bands": [{"data_type": kind, "nodata": 0}] * count}
        if count > 1:
            extra["eo:bands"] = [{"name": f"{name}{index + 1}"} for index in range(count)]
        asset = pystac.Asset(href, media_type="image/tiff", roles=["data"], extra_fields=extra)
        item.add_asset(name, asset)

    if len(set(scene.hrefs)) == 1:
        add("image", scene.hrefs[0], dtype, max(2, *scene.indexes))
        bands = [f"image.{index}" for index in scene.indexes]
    else:
        bands = ["first", "second", "third"]
        for name, href in zip(bands, scene.hrefs, strict=True):
            add(name, href, dtype, 1)
    if scene.quality is not None:
        add("quality", scene.quality, "uint16", 1)
        bands = [*bands, "quality"]
    return item, bands
