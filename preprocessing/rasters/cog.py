"""Cloud Optimized GeoTIFFs, written block by block."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from preprocessing.rasters.band_metadata import BandMetadata
from preprocessing.rasters.band_statistics import BandStatistics
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.whole_files import check_whole
from preprocessing.running.disk_space import check_space
from preprocessing.running.partial_files import partial_path

__all__ = ["BLOCK_PX", "write_cog"]

BLOCK_PX = 512
_UNWRITTEN = 64 * 2**20
_OPTIONS = {"GDAL_TIFF_INTERNAL_MASK": True, "GDAL_CACHEMAX": _UNWRITTEN}


def write_cog(
    path: str | Path,
    grid: Grid,
    blocks: Iterable[tuple[Window, NDArray[Any], NDArray[np.bool_] | None]],
    *,
    count: int,
    dtype: str,
    nodata: float | None = None,
    masked: bool = False,
    descriptions: Sequence[str] = (),
    tags: dict[str, str] | None = None,
    metadata: BandMetadata | None = None,
    colours: NDArray[np.uint8] | None = None,
) -> Path:
    """Write a Cloud Optimized GeoTIFF from blocks, under a temporary name until complete.

    Args:
        path: Final name; its folder must exist.
        grid: Grid of the file.
        blocks: Yields `(window, stored values (count, h, w), valid (h, w) or None)`.
        count: Bands.
        dtype: Stored type.
        nodata: Value of invalid pixels, already set in the blocks.
        masked: Write the blocks' `valid` as an internal mask.
        descriptions: Band names.
        tags: Metadata items.
        metadata: More about the bands.
        colours: Red, green and blue `(n, 3)` of the values from 0 of a band of classes.

    Returns:
        The final path.

    Raises:
        NoSpaceError: The disk is full.
    """
    path = Path(path)
    plain, cog = partial_path(path), partial_path(path)
    has_mask, statistics = False, [BandStatistics() for _ in range(count)]
    predictor = 3 if np.dtype(dtype).kind == "f" else 2
    try:
        with rasterio.Env(**_OPTIONS), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            profile: dict[str, Any] = {
                "driver": "GTiff",
                "height": grid.height,
                "width": grid.width,
                "count": count,
                "dtype": dtype,
                "crs": grid.crs,
                "nodata": nodata,
                "tiled": True,
                "blockxsize": BLOCK_PX,
                "blockysize": BLOCK_PX,
                "compress": "deflate",
                "zlevel": 1,
                "bigtiff": "if_safer",
                "photometric": "rgb" if count == 3 and dtype == "uint8" else "minisblack",
            }
            if not grid.transform.is_identity:
                profile["transform"] = grid.transform
            with rasterio.open(plain, "w", **profile) as dataset:
                if metadata is not None:  # before the pixels: GDAL fixes what alpha is then
                    metadata.write_to(dataset)
                if colours is not None:
                    dataset.write_colormap(1, dict(enumerate(map(tuple, colours.tolist()))))
                for window, stored, valid in blocks:
                    part = RasterioWindow(window.col, window.row, window.width, window.height)
                    dataset.write(stored, window=part)
                    for found, band in zip(statistics, stored, strict=True):
                        found.add(band, valid, nodata)
                    if masked and valid is not None:
                        dataset.write_mask(valid, window=part)
                        has_mask = True
                for index, found in enumerate(statistics, start=1):
                    dataset.update_tags(index, **found.tags())
                for index, text in enumerate(descriptions, start=1):
                    dataset.set_band_description(index, text)
                dataset.update_tags(**(tags or {}))
                raw = grid.height * grid.width * (count * np.dtype(dtype).itemsize + masked)
                # GDAL says nothing of what fails while it closes a file.
                check_space(path.parent, min(raw, _UNWRITTEN), "what is still to be written")
            check_whole(plain, masked=has_mask)
            check_space(path.parent, plain.stat().st_size * 4 // 3, path.name)
            rasterio.shutil.copy(
                plain,
                cog,
                driver="COG",
                compress="DEFLATE",
                predictor=predictor,
                blocksize=BLOCK_PX,
                overview_resampling="average" if colours is None else "mode",
                bigtiff="IF_SAFER",
                num_threads="ALL_CPUS",
            )
        check_whole(cog, masked=has_mask)
        os.replace(cog, path)
    finally:
        for leftover in (plain, cog):
            leftover.unlink(missing_ok=True)
            leftover.with_name(leftover.name + ".aux.xml").unlink(missing_ok=True)
    return path
