"""What the stored numbers of a raster mean: type, value range and nodata, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window as RasterioWindow

from preprocessing.errors import BandError, UnknownRangeError, ValueRangeError
from preprocessing.rasters.band_choice import alpha_bands
from preprocessing.rasters.raster import Encoding
from preprocessing.rasters.sensors import SensorProfile

__all__ = ["find_encoding", "read_valid"]


def find_encoding(
    dataset: Any,
    bands: Sequence[int],
    value_range: tuple[float, float] | None,
    profile: SensorProfile | None,
    name: str,
) -> Encoding:
    """Stored type, value range and nodata of the chosen bands.

    The range is, first that applies: `value_range`; the metadata item `VALUE_RANGE` (`low,high`);
    the sensor's profile, with the file's own scale and offset where it has them; 0..255 for uint8.

    Raises:
        BandError: The bands are of several types, or not numbers.
        UnknownRangeError: Nothing states the range.
        ValueRangeError: What is stated is no range, or the sensor's does not hold for this type.
    """
    dtypes = {dataset.dtypes[b - 1] for b in bands}
    if len(dtypes) > 1:
        raise BandError(f"expected bands of one type, got {sorted(dtypes)} in {name}")
    dtype = dtypes.pop()
    if np.dtype(dtype).kind not in "iuf":
        raise BandError(f"expected integer or real pixel values, got {dtype} in {name}")
    masked = any(MaskFlags.per_dataset in flags for flags in _mask_flags(dataset))
    nodata = dataset.nodatavals[bands[0] - 1]
    if nodata is None and profile is not None and not masked:
        nodata = profile.nodata
    if nodata is None and np.dtype(dtype).kind == "f":
        nodata = float("nan")
    if value_range is None:
        value_range = _stated_range(dataset.tags().get("VALUE_RANGE"), name)
    if value_range is None and profile is not None:
        scale, offset = _scale(dataset, bands, name)
        value_range = profile.value_range(dtype, scale=scale, offset=offset, name=name)
    if value_range is None and dtype == "uint8":
        value_range = (0.0, 255.0)
    if dtype == "uint8" and value_range is not None and value_range[1] > 2 * 255:
        raise ValueRangeError(
            f"expected a value range that 8-bit pixels reach, got {value_range[0]:g},"
            f"{value_range[1]:g} for {name}; images of several depths need a range "
            "each, as a tag VALUE_RANGE=low,high"
        )
    if value_range is None:
        raise UnknownRangeError(
            f"expected a stated range of values for {dtype} pixels in {name}; "
            "say what is black and what is white, e.g. --value-range 0,3000 "
            "for Sentinel-2 reflectance, or name the sensor"
        )
    if not value_range[1] > value_range[0]:
        raise ValueRangeError(
            f"expected a value range low,high with low < high, got {value_range} for {name}"
        )
    return Encoding(dtype, value_range[0], value_range[1], nodata, masked=masked)


def read_valid(
    dataset: Any,
    bands: Sequence[int],
    stored: NDArray[Any],
    window: RasterioWindow,
    encoding: Encoding,
) -> NDArray[np.bool_]:
    """Where the pixels of a window that was read into `stored` `(3, h, w)` are observations.

    A band at nodata is still an observation if that value can occur in the image: such a pixel
    is invalid only if all bands are at nodata. Bands that are not finite never are one.
    """
    every = _mask_flags(dataset)
    flags = [every[b - 1] for b in bands]
    nodata = encoding.nodata
    if all(MaskFlags.all_valid in kinds for kinds in flags):
        seen = np.ones(stored.shape, dtype=bool)
        if nodata is not None and np.isfinite(nodata):
            seen = stored != nodata
    elif stored.dtype.kind in "iu" and all(kinds == [MaskFlags.nodata] for kinds in flags):
        # The same as GDAL's mask, without decoding the pixels a second time.
        of_bands = [dataset.nodatavals[b - 1] for b in bands]
        seen = np.stack([plane != value for plane, value in zip(stored, of_bands, strict=True)])
    else:
        seen = dataset.read_masks(list(bands), window=window) > 0
    may_occur = nodata is not None and encoding.low <= nodata <= encoding.high
    valid = (np.any if may_occur else np.all)(seen, axis=0)
    if stored.dtype.kind == "f":
        valid &= np.isfinite(stored).all(axis=0)
    return np.asarray(valid)


def _mask_flags(dataset: Any) -> list[list[Any]]:
    """Where each band's mask comes from; a band that is only tagged as alpha is no mask."""
    flags: list[list[Any]] = [list(kinds) for kinds in dataset.mask_flag_enums]
    if alpha_bands(dataset):
        return flags
    return [[MaskFlags.all_valid] if MaskFlags.alpha in kinds else kinds for kinds in flags]


def _stated_range(text: str | None, name: str) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = (float(v) for v in text.split(","))
    except ValueError as err:
        raise ValueRangeError(
            f"expected VALUE_RANGE metadata as 'low,high', got '{text}' in {name}"
        ) from err
    return (low, high)


def _scale(dataset: Any, bands: Sequence[int], name: str) -> tuple[float, float]:
    """Scale and offset the file states for the chosen bands."""
    stated = {(float(dataset.scales[b - 1]), float(dataset.offsets[b - 1])) for b in bands}
    if len(stated) > 1 or any(scale == 0 for scale, _ in stated):
        raise ValueRangeError(
            f"expected one scale and offset for red, green and blue, got {sorted(stated)} in "
            f"{name}; state the range of values, e.g. --value-range 0,3000"
        )
    return stated.pop()
