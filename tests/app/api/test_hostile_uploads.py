"""Files and names that a stranger may send, each refused with its status."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from run_cases import place
from service_cases import Service, said

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
HTML = b"<!doctype html><script>alert(1)</script>"
VRT = b"""<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>/vsicurl/http://host/a.tif</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""
OGR_VRT = b"""<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>/etc/passwd</SrcDataSource>
</OGRVRTLayer></OGRVRTDataSource>"""
PAM = b"<PAMDataset><Metadata domain='OVERVIEWS'/></PAMDataset>"


def png(width: int, height: int) -> bytes:
    """A PNG that says how large it is and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


def sparse(path: Path) -> bytes:
    """A small GeoTIFF of very many pixels."""
    profile = {"driver": "GTiff", "width": 100_000, "height": 100_000, "count": 3}
    with rasterio.open(path, "w", dtype="uint8", sparse_ok=True, tiled=True, **profile):
        pass
    return path.read_bytes()


def tagged(path: Path, space: str | None, **tags: str) -> bytes:
    """A GeoTIFF that names another file in its metadata."""
    place(path)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.update_tags(ns=space, **tags)
    assert not path.with_name(f"{path.name}.aux.xml").exists()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("place_2020.tif", VRT, 415),
        ("place_2020.vrt", VRT, 415),
        ("place_2020.png", SVG, 415),
        ("place_2020.svg", SVG, 415),
        ("place_2020.jpg", HTML, 415),
        ("place_2020.html", HTML, 415),
        ("place_2020.tif", json.dumps({"type": "FeatureCollection", "features": []}), 415),
        ("place_2020.tif", b"/vsicurl/http://host/place_2020.tif", 415),
        ("place_2020.tif.aux.xml", PAM, 415),
        ("place_2020.tif.ovr", b"II*\0", 415),
        ("place_2020.tif", b"", 415),
        ("place_2020.tif", b"II*\0\x08\0\0\0", 415),
        ("place_2020.png", png(60_000, 60_000), 413),
        ("<svg onload=alert(1)>_2020.tif", None, 400),
        ("<script>_2020.html", None, 400),
        ("../place_2020.tif", None, 400),
        ("../../../../etc/cron.d/place_2020.tif", None, 400),
        ("/etc/place_2020.tif", None, 400),
        ("..\\place_2020.tif", None, 400),
        ("/vsicurl/http:/host/place_2020.tif", None, 400),
        ("GTIFF_DIR:1:place_2020.tif", None, 400),
        (".place_2020.tif", None, 400),
        ("place\r\n_2020.tif", None, 400),
        ("p" * 300 + "_2020.tif", None, 400),
    ],
)
@pytest.mark.parametrize("address", ["/api/v1/forecast", "/upscale"])
def test_files_that_are_no_images_and_odd_names_are_refused(
    door: Service, tmp_path: Path, name: str, content: Any, status: int, address: str
) -> None:
    if content is None:
        content = place(tmp_path / "made.tif", height=64, width=64).read_bytes()
    field = "images" if "forecast" in address else "image"
    answer = door.client.post(address, files=[(field, (name, content))])
    said(answer, status)
    assert not list(door.runs.root.glob("*/"))


@pytest.mark.parametrize(
    ("space", "tags"),
    [
        ("OVERVIEWS", {"OVERVIEW_FILE": "/etc/passwd"}),
        ("GEOLOCATION", {"X_DATASET": "/vsicurl/http://host/x.tif", "X_BAND": "1"}),
        (None, {"TIFFTAG_IMAGEDESCRIPTION": "/vsicurl/http://host/x.tif"}),
        ("ANY", {"FILE": "/vsis3/bucket/x.tif"}),
    ],
)
@pytest.mark.parametrize("address", ["/api/v1/forecast", "/upscale"])
def test_images_that_name_other_files_are_refused(
    door: Service, tmp_path: Path, space: str | None, tags: dict[str, str], address: str
) -> None:
    content = tagged(tmp_path / "made.tif", space, **tags)
    field = "images" if "forecast" in address else "image"
    answer = door.client.post(address, files=[(field, ("place_2020.tif", content))])
    assert "names another file" in said(answer, 415)


def test_an_image_of_too_many_pixels_is_refused(door: Service, tmp_path: Path) -> None:
    upload = [("images", ("place_2020.tif", sparse(tmp_path / "big.tif")))]
    assert "megapixels" in said(door.client.post("/api/v1/forecast", files=upload), 413)


def linked(kind: str, **properties: str) -> bytes:
    ring = [[15.001, 45.146], [15.01, 45.146], [15.01, 45.152], [15.001, 45.146]]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    crs = {"type": kind, "properties": properties}
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}).encode()


def geopackage(path: Path, statement: str) -> bytes:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE a (b TEXT)")
        database.execute(statement)
    database.close()
    return path.read_bytes()


def polygons(tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    yield "mosaic", OGR_VRT
    yield "markup", HTML
    yield "nothing", b""
    yield "deep", b"[" * 100_000
    yield "other JSON", b'{"type": "Topology"}'
    yield "an array", b"[1, 2]"
    yield "a link", linked("link", href="http://host/crs")
    yield "a name that is an address", linked("name", name="http://host/crs")
    yield "a name that is a file", linked("name", name="/vsicurl/http://host/crs")
    yield "a view", geopackage(tmp_path / "view.gpkg", "CREATE VIEW c AS SELECT * FROM a")
    for number, made in enumerate(
        (
            "CREATE VIRTUAL TABLE c USING fts5(d)",
            "CREATE\nVIRTUAL  TABLE c USING fts5(d, ' using rtree ')",
            'CREATE VIRTUAL TABLE "c using rtree" USING fts5(d)',
            "CREATE TABLE c (d TEXT, e TEXT GENERATED ALWAYS AS (upper(d)))",
        )
    ):
        yield made, geopackage(tmp_path / f"virtual_{number}.gpkg", made)
    yield "half a GeoPackage", b"SQLite format 3\0" + b"\0" * 100


@pytest.mark.parametrize("field", ["aoi", "zones"])
def test_polygons_that_lead_elsewhere_are_refused(
    door: Service, tmp_path: Path, field: str
) -> None:
    image = place(tmp_path / "made.tif").read_bytes()
    for what, content in polygons(tmp_path):
        files = [("images", ("place_2020.tif", image)), (field, ("a.geojson", content))]
        answer = door.client.post("/api/v1/forecast", files=files)
        assert answer.status_code == 400, what
        said(answer, 400)
    files = [files[0], (field, ("a.geojson", linked("name", name="EPSG:4326")))]
    assert door.client.post("/api/v1/forecast", files=files).status_code == 202


def test_a_geopackage_of_gdal_is_taken(door: Service, tmp_path: Path) -> None:
    import geopandas
    from shapely.geometry import box

    table = geopandas.GeoDataFrame(geometry=[box(15.001, 45.146, 15.01, 45.152)], crs="EPSG:4326")
    table.to_file(tmp_path / "area.gpkg")
    image = place(tmp_path / "made.tif").read_bytes()
    files = [("images", ("place_2020.tif", image))]
    files.append(("aoi", ("area.gpkg", (tmp_path / "area.gpkg").read_bytes())))
    answer = door.client.post("/api/v1/forecast", files=files)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("tells", [True, False])
def test_too_many_bytes_are_refused_whether_told_or_not(door: Service, tells: bool) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(64):
            yield b"\0" * 65_536
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    content = b"".join(body()) if tells else body()
    answer = door.client.post("/upscale", content=content, headers=headers)
    assert ("Content-Length" in answer.request.headers) is tells
    assert "2.86102 MiB" in said(answer, 413)


def test_a_failure_of_ours_shows_nothing_of_the_inside(
    door: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from starlette.testclient import TestClient

    monkeypatch.setattr(type(door.runs), "all", property(lambda _: 1 / 0))
    client = TestClient(door.client.app, raise_server_exceptions=False)
    assert said(client.get("/api/v1/runs"), 500).startswith("landcast failed")
    assert "ZeroDivisionError" in caplog.text


def test_pages_of_other_sites_are_refused(door: Service) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    image = [("image", ("a.png", io.BytesIO(png(2, 2))))]
    said(door.client.post("/upscale", files=image, headers=headers), 403)
    answer = door.client.get("/api/v1/runs", headers={"Origin": "https://other.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)
