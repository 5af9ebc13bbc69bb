"""The only reads and writes of rasters: any GDAL source in, Cloud Optimized GeoTIFF out."""

from __future__ import annotations

import datetime as dt
import os
import uuid
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.windows import Window as RasterioWindow

from preprocessing.dates import date_from_creation, date_from_name, date_from_tags
from preprocessing.errors import (
    BandError,
    MissingFileError,
    NoValidPixelsError,
    UnreadableRasterError,
    ValueRangeError,
)
from preprocessing.grid import Grid, Window
from preprocessing.raster import Encoding, Raster

__all__ = ["RasterSource", "blocks", "read_raster", "write_cog"]

_COLOURS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_NAMES = (("red", "r"), ("green", "g"), ("blue", "b"))
_SCHEMES = ("http://", "https://", "s3://", "gs://", "/vsi")
_BLOCK = 512


@dataclass(frozen=True)
class RasterSource:
    """A raster that was opened and understood, but not read.

    Attributes:
        path: File path or anything GDAL opens.
        grid: Full pixel grid.
        bands: One-based indexes of red, green, blue.
        encoding: Stored type, value range and nodata.
        date: Acquisition date, or None if neither metadata nor name says it.
    """

    path: str
    grid: Grid
    bands: tuple[int, int, int]
    encoding: Encoding
    date: dt.date | None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        bands: Sequence[int] | None = None,
        value_range: tuple[float, float] | None = None,
        year: int | None = None,
    ) -> RasterSource:
        """Open a raster and find its bands, value range, nodata and date.

        Args:
            path: File, URL or GDAL path.
            bands: One-based indexes of red, green and blue; found by colour interpretation or
                description where not given, else the first three.
            value_range: Stored values that mean 0 and 1. Known for uint8 (0..255); other types
                must state it here or in the file (`VALUE_RANGE` metadata: `low,high`).
            year: Overrides the date found in the file.

        Raises:
            MissingFileError: No such file.
            UnreadableRasterError: GDAL cannot read it.
            BandError: Fewer than three bands, or an index that does not exist.
            ValueRangeError: The range is not known for this type.
            DateError: The name holds several years and `year` is not given.
        """
        name = str(path)
        if not name.startswith(_SCHEMES) and not Path(name).exists():
            raise MissingFileError(f"expected a raster file, found nothing at {name}")
        with _opened(name) as dataset:
            if dataset.count == 0:
                raise UnreadableRasterError(
                    f"expected a raster, {name} is a container of "
                    f"{len(dataset.subdatasets)} subdatasets; name one of them"
                )
            grid = Grid(dataset.height, dataset.width, dataset.transform, dataset.crs)
            chosen = _choose_bands(dataset, bands, name)
            encoding = _encoding(dataset, chosen, value_range, name)
            if year is not None:
                date: dt.date | None = dt.date(year, 1, 1)
            else:
                tags = {**dataset.tags(), **dataset.tags(ns="IMAGERY")}
                date = date_from_tags(tags) or date_from_name(name) or date_from_creation(tags)
        return cls(name, grid, chosen, encoding, date)

    @property
    def _nodata_in_range(self) -> bool:
        nodata = self.encoding.nodata
        return nodata is not None and self.encoding.low <= nodata <= self.encoding.high

    def read(self, window: Window | None = None) -> Raster:
        """Read a window (default: everything); parts beyond the raster are invalid.

        Raises:
            UnreadableRasterError: The pixels are damaged.
        """
        window = window or Window(0, 0, self.grid.height, self.grid.width)
        stored = np.zeros((3, window.height, window.width), dtype=self.encoding.dtype)
        valid = np.zeros((window.height, window.width), dtype=bool)
        top, left = max(window.row, 0), max(window.col, 0)
        bottom = min(window.row + window.height, self.grid.height)
        right = min(window.col + window.width, self.grid.width)
        if bottom > top and right > left:
            part = RasterioWindow(left, top, right - left, bottom - top)
            rows = slice(top - window.row, bottom - window.row)
            cols = slice(left - window.col, right - window.col)
            with _opened(self.path) as dataset:
                try:
                    stored[:, rows, cols] = dataset.read(self.bands, window=part)
                    masks = dataset.read_masks(self.bands, window=part)
                except RasterioIOError as err:
                    raise UnreadableRasterError(
                        f"expected readable pixels, got damaged data in {self.path} ({err}); "
                        "fetch or export the file again"
                    ) from err
            # A band at nodata is still an observation if that value can occur in the image.
            together = np.any if self._nodata_in_range else np.all
            valid[rows, cols] = together(masks > 0, axis=0)
        if stored.dtype.kind == "f":
            valid &= np.isfinite(stored).all(axis=0)
            stored = np.where(valid, stored, self.encoding.low)
        return Raster(
            self.encoding.decode(stored),
            self.grid.crop(window),
            valid,
            self.encoding,
            self.date,
            Path(self.path).name,
        )


def read_raster(
    path: str | Path,
    *,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    year: int | None = None,
) -> Raster:
    """Read a whole raster; see `RasterSource.open` for arguments and errors.

    Raises:
        NoValidPixelsError: Every pixel is nodata.
    """
    raster = RasterSource.open(path, bands=bands, value_range=value_range, year=year).read()
    if not raster.valid.any():
        raise NoValidPixelsError(f"expected an image, every pixel of {path} is nodata or masked")
    return raster


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

    Returns:
        The final path.
    """
    path = Path(path)
    unique = uuid.uuid4().hex[:8]
    plain = path.with_name(f".{path.stem}.{unique}.plain.tif")
    cog = path.with_name(f".{path.stem}.{unique}.cog.tif")
    predictor = 3 if np.dtype(dtype).kind == "f" else 2
    try:
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), warnings.catch_warnings():
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
                "blockxsize": _BLOCK,
                "blockysize": _BLOCK,
                "compress": "deflate",
                "zlevel": 1,
                "bigtiff": "if_safer",
                "photometric": "rgb" if count == 3 and dtype == "uint8" else "minisblack",
            }
            if not grid.transform.is_identity:
                profile["transform"] = grid.transform
            with rasterio.open(plain, "w", **profile) as dataset:
                for window, stored, valid in blocks:
                    part = RasterioWindow(window.col, window.row, window.width, window.height)
                    dataset.write(stored, window=part)
                    if masked and valid is not None:
                        dataset.write_mask(valid, window=part)
                for index, text in enumerate(descriptions, start=1):
                    dataset.set_band_description(index, text)
                dataset.update_tags(**(tags or {}))
            rasterio.shutil.copy(
                plain,
                cog,
                driver="COG",
                compress="DEFLATE",
                predictor=predictor,
                blocksize=_BLOCK,
                overview_resampling="average",
                bigtiff="IF_SAFER",
                num_threads="ALL_CPUS",
            )
        os.replace(cog, path)
    finally:
        for leftover in (plain, cog):
            leftover.unlink(missing_ok=True)
            leftover.with_name(leftover.name + ".aux.xml").unlink(missing_ok=True)
    return path


def blocks(grid: Grid, *, size: int = _BLOCK) -> list[Window]:
    """Windows of at most `size` pixels that cover the grid once, row by row."""
    return [
        Window(row, col, min(size, grid.height - row), min(size, grid.width - col))
        for row in range(0, grid.height, size)
        for col in range(0, grid.width, size)
    ]


def _opened(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(name)
    except RasterioIOError as err:
        raise UnreadableRasterError(
            f"expected a raster that GDAL reads (GeoTIFF, JPEG2000, PNG ...), got {name}: {err}"
        ) from err


def _choose_bands(dataset: Any, bands: Sequence[int] | None, name: str) -> tuple[int, int, int]:
    if bands is not None:
        if len(bands) != 3 or any(not 1 <= b <= dataset.count for b in bands):
            raise BandError(
                f"expected three band numbers between 1 and {dataset.count} for {name}, "
                f"got {','.join(map(str, bands))}"
            )
        return (bands[0], bands[1], bands[2])
    interpretation = list(dataset.colorinterp)
    data_bands = [i + 1 for i, c in enumerate(interpretation) if c != ColorInterp.alpha]
    if len(data_bands) < 3:
        raise BandError(
            f"expected at least three bands (red, green, blue), got {len(data_bands)} in {name}; "
            "stack the colour bands into one file"
        )
    if all(colour in interpretation for colour in _COLOURS):
        found = [interpretation.index(colour) + 1 for colour in _COLOURS]
    else:
        described = [(text or "").strip().lower() for text in dataset.descriptions]
        found = [
            next((i + 1 for i, text in enumerate(described) if text in names), 0)
            for names in _NAMES
        ]
        if not all(found):
            found = data_bands[:3]
    return (found[0], found[1], found[2])


def _encoding(
    dataset: Any, bands: Sequence[int], value_range: tuple[float, float] | None, name: str
) -> Encoding:
    dtypes = {dataset.dtypes[b - 1] for b in bands}
    if len(dtypes) > 1:
        raise BandError(f"expected bands of one type, got {sorted(dtypes)} in {name}")
    dtype = dtypes.pop()
    if np.dtype(dtype).kind not in "iuf":
        raise BandError(f"expected integer or real pixel values, got {dtype} in {name}")
    nodata = dataset.nodatavals[bands[0] - 1]
    if nodata is None and np.dtype(dtype).kind == "f":
        nodata = float("nan")
    alpha = ColorInterp.alpha in dataset.colorinterp
    per_dataset = any(
        flag.name == "per_dataset" for flags in dataset.mask_flag_enums for flag in flags
    )
    if value_range is None:
        stated = dataset.tags().get("VALUE_RANGE")
        if stated is not None:
            try:
                low, high = (float(v) for v in stated.split(","))
            except ValueError as err:
                raise ValueRangeError(
                    f"expected VALUE_RANGE metadata as 'low,high', got '{stated}' in {name}"
                ) from err
            value_range = (low, high)
        elif dtype == "uint8":
            value_range = (0.0, 255.0)
        else:
            raise ValueRangeError(
                f"expected a stated range of values for {dtype} pixels in {name}; "
                "say what is black and what is white, e.g. --value-range 0,3000 "
                "for Sentinel-2 reflectance"
            )
    if not value_range[1] > value_range[0]:
        raise ValueRangeError(
            f"expected a value range low,high with low < high, got {value_range} for {name}"
        )
    return Encoding(dtype, value_range[0], value_range[1], nodata, masked=alpha or per_dataset)
