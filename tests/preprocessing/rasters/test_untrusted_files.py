"""Files of strangers: what they contain decides, and they lead nowhere else without being asked."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from servers.range_server import serve_folder

from app.cli.entry import run
from preprocessing.errors import OutsideError, RequestError, UnreadableRasterError
from preprocessing.preparation.manifest import read_manifest
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.opening import check_upload
from preprocessing.rasters.outside import VARIABLE, reading_outside

RAW = """<VRTDataset rasterXSize="8" rasterYSize="8">{bands}</VRTDataset>"""
RAW_BAND = """<VRTRasterBand dataType="Byte" band="{n}" subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="{relative}">{name}</SourceFilename><ImageOffset>0</ImageOffset>
<PixelOffset>1</PixelOffset><LineOffset>8</LineOffset></VRTRasterBand>"""
SIMPLE_BAND = """<VRTRasterBand dataType="Byte" band="{n}"><SimpleSource>
<SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>{n}</SourceBand>
</SimpleSource></VRTRasterBand>"""
WMS = """<GDAL_WMS><Service name="TMS">
<ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>
<DataWindow><UpperLeftX>-10</UpperLeftX><UpperLeftY>10</UpperLeftY><LowerRightX>10</LowerRightX>
<LowerRightY>-10</LowerRightY><TileLevel>1</TileLevel></DataWindow><BandsCount>3</BandsCount>
</GDAL_WMS>"""


def vrt(path: Path, band: str, name: str, relative: int = 0) -> Path:
    bands = "".join(band.format(n=n, name=name, relative=relative) for n in (1, 2, 3))
    path.parent.mkdir(exist_ok=True)
    path.write_text(RAW.format(bands=bands))
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.bin"
    path.write_bytes(bytes(range(64)))
    return path


@pytest.mark.parametrize("kind", ["raw", "mosaic", "remote", "wms", "text", "polyglot"])
def test_an_upload_is_opened_by_its_content(tmp_path: Path, secret: Path, kind: str) -> None:
    image = tmp_path / "image_2018.png"
    Image.new("RGB", (8, 8)).save(image)
    path = tmp_path / "visit" / "innocent_2018.tif"
    if kind == "raw":
        vrt(path, RAW_BAND, str(secret))
    elif kind == "mosaic":
        vrt(path, SIMPLE_BAND, str(image))
    elif kind == "remote":
        vrt(path, SIMPLE_BAND, "/vsicurl/http://127.0.0.1:9/a.tif")
    elif kind == "wms":
        path.parent.mkdir()
        path.write_text(WMS.format(url="http://127.0.0.1:9"))
    elif kind == "text":
        path.parent.mkdir()
        path.write_text("no image")
    else:  # the first bytes of a JPEG before the text of a mosaic
        vrt(path, RAW_BAND, str(secret))
        path.write_bytes(b"\xff\xd8\xff\xfe\x10\x10" + path.read_bytes())
    with pytest.raises(UnreadableRasterError, match=r"innocent_2018\.tif"):
        check_upload(path, most_pixels=10_000)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "jp2"])
def test_images_of_the_common_formats_can_be_uploaded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"place_2018.{suffix}"
    driver = {"png": "PNG", "jpg": "JPEG", "tif": "GTiff", "jp2": "JP2OpenJPEG"}[suffix]
    with rasterio.open(
        path, "w", driver=driver, height=64, width=64, count=3, dtype="uint8"
    ) as made:
        made.write(np.full((3, 64, 64), 100, np.uint8))
    check_upload(path, most_pixels=10_000)
    assert RasterSource.open(path).date == dt.date(2018, 1, 1)


def test_raw_bands_stay_in_the_folder_of_their_mosaic(tmp_path: Path, secret: Path) -> None:
    inside = tmp_path / "mosaic"
    inside.mkdir()
    (inside / "own.bin").write_bytes(bytes(64))
    (inside / "link.bin").symlink_to(secret)
    RasterSource.open(vrt(inside / "own_2018.vrt", RAW_BAND, "own.bin", 1)).read()
    for name, relative in (
        (str(secret), 0),
        ("../secret.bin", 1),
        ("link.bin", 1),
        (f"/vsisubfile/0_64,{secret}", 0),
    ):
        path = vrt(inside / "evil_2018.vrt", RAW_BAND, name, relative)
        with pytest.raises(OutsideError, match="--allow-outside"):
            RasterSource.open(path)
        outer = vrt(tmp_path / "outer" / "outer_2018.vrt", SIMPLE_BAND, str(path))
        with pytest.raises(OutsideError, match="--allow-outside"):
            RasterSource.open(outer)
    with reading_outside(True):
        path = vrt(inside / "evil_2018.vrt", RAW_BAND, str(secret))
        assert RasterSource.open(path).read().data.max() > 0


def test_mosaics_of_files_elsewhere_work_and_of_addresses_do_not(
    make_raster: Callable[..., Path], tmp_path: Path
) -> None:
    image = make_raster("image_2018.tif")
    path = vrt(tmp_path / "mosaic" / "m_2018.vrt", SIMPLE_BAND, str(image))
    assert RasterSource.open(path).grid.height == 8
    asked: list[str] = []
    with serve_folder(tmp_path, lambda request: not asked.append(request.path)) as (address, _):
        wms = tmp_path / "wms.xml"
        wms.write_text(WMS.format(url=address))
        for name in (f"/vsicurl/{address}/image_2018.tif", str(wms), WMS.format(url=address)):
            path = vrt(tmp_path / "mosaic" / "m_2018.vrt", SIMPLE_BAND, name.replace("<", "&lt;"))
            with pytest.raises(RequestError):
                RasterSource.open(path).read()
        for ending in ("tif", "xml", "vrt"):
            path = tmp_path / f"wms_2018.{ending}"
            path.write_text(WMS.format(url=address))
            with pytest.raises(UnreadableRasterError):
                RasterSource.open(path).read()
        named = vrt(tmp_path / "named_2018.tif", SIMPLE_BAND, str(image))
        with pytest.raises(UnreadableRasterError):
            RasterSource.open(named)
        assert asked == []


def test_a_mosaic_of_itself_is_refused(tmp_path: Path) -> None:
    path = vrt(tmp_path / "self_2018.vrt", SIMPLE_BAND, "self_2018.vrt", 1)
    with pytest.raises(UnreadableRasterError, match="itself"):
        RasterSource.open(path)


def test_lists_stay_in_their_folder(
    make_raster: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = make_raster("image_2018.tif")
    folder = tmp_path / "list"
    folder.mkdir()
    manifest = folder / "manifest.csv"
    for name in ("../image_2018.tif", str(image), f"/vsizip/{image}"):
        manifest.write_text(f"dataset,place,date,path\na,b,2018,{name}\n")
        with pytest.raises(OutsideError, match="--allow-outside"):
            read_manifest(manifest)
    manifest.write_text(f"dataset,place,date,path\na,b,2018,{image}\na,b,2019,{image}\n")
    with reading_outside(True):
        assert len(read_manifest(manifest)) == 2
    command = ["prepare", str(manifest), "--out", str(tmp_path / "p.zarr")]
    assert run(command) == 2
    assert "--allow-outside" in capsys.readouterr().err
    run([*command, "--allow-outside"])
    assert "--allow-outside" not in capsys.readouterr().err
    assert VARIABLE not in os.environ
