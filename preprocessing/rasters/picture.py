"""Still pictures without georeference: PNG, JPEG, WebP, TIFF, upright, alpha apart."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from preprocessing.errors import NoSpaceError, RequestError, UnreadableRasterError
from preprocessing.rasters.band_metadata import BandMetadata
from preprocessing.rasters.opening import READ_ERRORS, opened, understood
from preprocessing.rasters.orientation import PICTURE_ERRORS, UPRIGHT, orientation_of, turned
from preprocessing.rasters.whole_files import check_whole
from preprocessing.rasters.window import Window
from preprocessing.running.disk_space import check_space
from preprocessing.running.partial_files import partial_path

__all__ = ["PICTURE_FORMATS", "Picture", "check_picture_format", "is_animated", "is_picture"]
__all__ += ["read_picture", "write_picture"]

PICTURE_FORMATS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_READ_ONLY = (".bmp", ".gif")
_TIFF = (".tif", ".tiff")
_QUALITY = 95
_ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9"}
_MOST_PIXELS = 2**28
_LIMITS_PX = {".webp": 16383, ".jpg": 65500, ".jpeg": 65500}


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        colours: `(1 or 3, h, w)` uint8 or uint16, grey or RGB, upright.
        alpha: `(h, w)` of the same type, or None.
        icc: ICC profile of the colours, or None.
    """

    colours: NDArray[Any]
    alpha: NDArray[Any] | None
    icc: bytes | None


def is_picture(path: Path) -> bool:
    """Whether a file is a picture, not a raster: 8 or 16 bit, no georeference, nodata or mask.

    Nor does it state a scale, offset, unit or range of its values.

    Raises:
        RequestError: It cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in PICTURE_FORMATS + _READ_ONLY:
        return False
    with opened(str(path)) as dataset, understood(str(path)):
        return bool(
            dataset.crs is None
            and dataset.transform.is_identity
            and not dataset.gcps[0]
            and dataset.rpcs is None
            and dataset.count <= 4
            and set(dataset.dtypes) <= {"uint8", "uint16"}
            # In a PNG nodata is the transparent colour.
            and (suffix not in _TIFF or all(value is None for value in dataset.nodatavals))
            and not any(flags == [MaskFlags.per_dataset] for flags in dataset.mask_flag_enums)
            and not _measured(dataset)
        )


def _measured(dataset: Any) -> bool:
    """Whether a file says what its values are measurements of."""
    said = BandMetadata.of(dataset)
    return said.scaled or any(said.units) or "VALUE_RANGE" in dataset.tags()


def is_animated(path: Path) -> bool:
    """Whether a picture has several frames; False where it cannot be read."""
    try:
        with Image.open(path) as image:
            return image.format != "TIFF" and getattr(image, "n_frames", 1) > 1
    except PICTURE_ERRORS:
        return False


def read_picture(path: Path) -> Picture:
    """Read a still picture whole.

    Raises:
        UnreadableRasterError: It is damaged, animated, or of a kind that is not supported.
    """
    try:
        with opened(str(path)) as dataset:
            if len(dataset.subdatasets) > 1:
                raise UnreadableRasterError(
                    f"expected one picture, {path} has {len(dataset.subdatasets)} pages; save each "
                    "as a file of its own"
                )
            if dataset.height * dataset.width > _MOST_PIXELS:
                raise Image.DecompressionBombError(f"{dataset.height} x {dataset.width} pixels")
            deep = dataset.dtypes[0] == "uint16"
            orientation = orientation_of(dataset, str(path))
            pixels = _deep(dataset) if deep else None
            profile = dataset.tags(ns="COLOR_PROFILE").get("SOURCE_ICC_PROFILE")
        try:
            with Image.open(path) as image:
                _check_still(image, path)
                icc = None if image.mode == "CMYK" else image.info.get("icc_profile")
                if pixels is None:
                    pixels = _shallow(image)
                    if image.format == "TIFF":  # which Pillow turns itself
                        orientation = UPRIGHT
        except UnidentifiedImageError:  # Pillow knows fewer kinds of TIFF than GDAL
            if pixels is None:
                raise
            icc = base64.b64decode(profile) if profile else None
    except (*PICTURE_ERRORS, *READ_ERRORS) as err:
        raise UnreadableRasterError(
            f"expected a whole picture, {path} is damaged or of an unknown kind ({err}); "
            "fetch or export it again"
        ) from err
    except Image.DecompressionBombError as err:
        raise UnreadableRasterError(
            f"expected a picture that fits into memory, got {path} ({err}); "
            "convert it to GeoTIFF, which is read by windows"
        ) from err
    pixels = turned(pixels, orientation)
    colours = 3 if len(pixels) > 2 else 1
    alpha = pixels[colours] if len(pixels) > colours else None
    return Picture(pixels[:colours], alpha, icc)


def check_picture_format(out: Path, *, dtype: str, alpha: bool, height: int, width: int) -> None:
    """Refuse a format that cannot hold the result.

    Raises:
        RequestError: Unknown ending, or 16 bit, alpha or the size do not go into the format.
    """
    suffix = out.suffix.lower()
    if suffix not in PICTURE_FORMATS:
        raise RequestError(
            f"expected a picture ending in {', '.join(PICTURE_FORMATS)}, got {out.name}"
        )
    if dtype != "uint8" and suffix not in (".png", *_TIFF):
        raise RequestError(f"expected .png or .tif for 16 bits a channel, got {out.name}")
    if alpha and suffix in (".jpg", ".jpeg"):
        raise RequestError(f"expected .png, .webp or .tif for a picture with alpha, got {out.name}")
    if max(height, width) > _LIMITS_PX.get(suffix, max(height, width)):
        raise RequestError(
            f"expected at most {_LIMITS_PX[suffix]} pixels a side for {suffix}, the result has "
            f"{width} x {height}; write .tif or .png, or use a smaller --outscale"
        )


def write_picture(
    path: Path,
    blocks: Iterable[tuple[Window, NDArray[Any]]],
    *,
    height: int,
    width: int,
    count: int,
    dtype: str,
    icc: bytes | None = None,
) -> Path:
    """Write a picture from blocks, under a temporary name until complete.

    Args:
        path: Final name, see `check_picture_format`.
        blocks: Yields `(window, stored values (count, h, w))`.
        height: Rows.
        width: Columns.
        count: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        dtype: `uint8` or `uint16`.
        icc: ICC profile.
    """
    plain, final = partial_path(path), partial_path(path)
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": count,
        "dtype": dtype,
        "tiled": True,
        "compress": "deflate",
        "predictor": 2,
        "zlevel": 1,
        "bigtiff": "if_safer",
        "photometric": "rgb" if count > 2 else "minisblack",
        **({"alpha": "yes"} if count in (2, 4) else {}),
    }
    try:
        with rasterio.Env(GDAL_PAM_ENABLED="NO"), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(plain, "w", **profile) as dataset:
                for window, stored in blocks:
                    part = RasterioWindow(window.col, window.row, window.width, window.height)
                    dataset.write(stored, window=part)
                if icc:  # as metadata: rasterio turns the text of options into capitals
                    profile_text = base64.b64encode(icc).decode()
                    dataset.update_tags(ns="COLOR_PROFILE", SOURCE_ICC_PROFILE=profile_text)
            check_whole(plain, masked=False)
            check_space(path.parent, plain.stat().st_size, path.name)
            _encode(plain, final, icc)
            _check_end(final)
        os.replace(final, path)
    finally:
        plain.unlink(missing_ok=True)
        final.unlink(missing_ok=True)
    return path


def _encode(plain: Path, final: Path, icc: bytes | None) -> None:
    suffix = final.suffix
    if suffix in _TIFF:
        os.replace(plain, final)
    elif suffix == ".webp":  # GDAL writes WebP without the profile
        with rasterio.open(plain) as dataset:
            pixels = dataset.read()
        if len(pixels) < 3:
            pixels = np.concatenate([pixels[:1]] * 3 + [pixels[1:]])
        Image.fromarray(np.ascontiguousarray(np.moveaxis(pixels, 0, -1))).save(
            final, quality=_QUALITY, icc_profile=icc or b""
        )
    elif suffix == ".png":
        rasterio.shutil.copy(plain, final, driver="PNG")
    else:
        rasterio.shutil.copy(plain, final, driver="JPEG", QUALITY=_QUALITY)


def _check_end(path: Path) -> None:
    """GDAL does not say if the disk was full when it closed a file."""
    end = _ENDS.get(path.suffix.lower())
    if end is not None:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            file.seek(-min(path.stat().st_size, len(end)), os.SEEK_END)
            if file.read() != end:
                raise NoSpaceError(
                    f"expected {path.parent} to have room for a picture, its end is missing; free "
                    "some disk and go on with --resume"
                )


def _check_still(image: Image.Image, path: Path) -> None:
    # Further images of a TIFF are pages, overviews or masks.
    frames = 1 if image.format == "TIFF" else getattr(image, "n_frames", 1)
    if frames > 1:
        film = "" if image.format == "WEBP" else "name a film as result, e.g. --out film.mp4, or "
        raise UnreadableRasterError(
            f"expected a still picture, {path} has {frames} frames; {film}extract a frame"
        )


def _deep(dataset: Any) -> NDArray[Any]:
    if ColorInterp.alpha not in dataset.colorinterp and dataset.count in (2, 4):
        raise ValueError(f"{dataset.count} bands of which none is alpha")
    return np.asarray(dataset.read())


def _shallow(image: Image.Image) -> NDArray[Any]:
    """Grey, grey and alpha, RGB or RGBA from any mode of 8 bits or less."""
    clear = image.has_transparency_data
    if image.mode in ("1", "L", "LA"):
        mode = "LA" if clear else "L"
    else:
        mode = "RGBA" if clear else "RGB"
    pixels = np.asarray(image.convert(mode))
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
