"""Rasters whose metadata is damaged where rasterio lets GDAL's own errors out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from written_rasters import noise, write

from preprocessing.errors import UnreadableRasterError
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.picture import read_picture

STRIP_OFFSETS, TEXT = 273, 2


def with_offsets_as_text(path: Path) -> Path:
    """Call the place of the pixels of a little-endian TIFF a text."""
    data = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry) == (STRIP_OFFSETS,):
            struct.pack_into("<H", data, entry + 2, TEXT)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize("read", [RasterSource.open, read_picture])
def test_damaged_metadata_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], object], placed: bool
) -> None:
    place = {} if placed else {"crs": None, "transform": None}
    path = with_offsets_as_text(write(tmp_path / "a_2016.tif", noise(side=24), **place))
    with pytest.raises(UnreadableRasterError, match=r"a_2016\.tif"):
        read(path)
