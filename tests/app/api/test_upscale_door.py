"""`POST /upscale`: the picture that the command line makes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from run_cases import GROUND, place
from service_cases import Service, said

from app.upscaling.run import UpscaleRequest, upscale
from preprocessing.rasters.io import read_raster
from sr.upscale.bands import UpscaleOptions


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    data = read_raster(place(tmp_path / "made_2020.tif", height=32, width=48)).data
    Image.fromarray(np.rint(255 * data).astype(np.uint8).transpose(1, 2, 0)).save(path)
    return path


@pytest.mark.parametrize("address", ["/upscale", "/api/v1/upscale"])
def test_a_picture_is_upscaled_four_times(
    service: Service, picture: Path, tmp_path: Path, address: str
) -> None:
    answer = service.client.post(address, files={"image": ("in.png", picture.read_bytes())})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    made = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert made.shape == (128, 192, 3)
    upscale(UpscaleRequest(picture, tmp_path / "out.png", UpscaleOptions()))
    there = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.abs(made.astype(int) - there).max() <= 1  # Threads may differ in the last bits.


def test_a_geotiff_stays_one(service: Service, tmp_path: Path) -> None:
    image = place(tmp_path / "made_2020.tif", height=32, width=48)
    answer = service.client.post("/upscale", files={"image": ("a.tif", image.read_bytes())})
    assert answer.headers["Content-Type"] == "image/tiff"
    with rasterio.open(io.BytesIO(answer.content)) as dataset:
        assert (dataset.height, dataset.width, dataset.crs) == (128, 192, GROUND.crs)
        assert dataset.transform.a == 2.5


def test_the_range_of_a_raster_can_be_stated(service: Service, tmp_path: Path) -> None:
    data = read_raster(place(tmp_path / "made_2020.tif", height=32, width=48)).data
    path = tmp_path / "deep.tif"
    deep = np.rint(3000 * data).astype(np.uint16)
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=32, width=48, dtype="uint16", crs=GROUND.crs,
        transform=GROUND.transform,
    ) as dataset:  # fmt: skip
        dataset.write(deep)
    sent = {"image": ("deep.tif", path.read_bytes())}
    refused = said(service.client.post("/upscale", files=sent), 400)
    assert "uint16 pixels in deep.tif" in refused
    answer = service.client.post("/upscale", files=sent, data={"value_range": "0,3000"})
    assert answer.status_code == 200, answer.text
    with rasterio.open(io.BytesIO(answer.content)) as dataset:
        made = dataset.read().reshape(3, 32, 4, 48, 4).mean(axis=(2, 4))
    assert np.abs(made - deep).mean() < 15
    wrong = service.client.post("/upscale", files=sent, data={"range": "0,3000"})
    assert "expected the fields image, value_range, got range too" in said(wrong, 400)


def test_a_picture_that_is_too_large_is_refused(service: Service, tmp_path: Path) -> None:
    image = place(tmp_path / "made.tif", height=160, width=160)
    answer = service.client.post("/upscale", files={"image": ("a.tif", image.read_bytes())})
    assert "0.02 megapixels" in said(answer, 413)


def test_no_more_pictures_wait_than_may(service: Service, picture: Path) -> None:
    short_jobs = service.client.app.state.short_jobs  # type: ignore[attr-defined]
    taken = [short_jobs.folder() for _ in range(service.settings.queue + 1)]
    for place_in_queue in taken:
        place_in_queue.__enter__()
    answer = service.client.post("/upscale", files={"image": ("a.png", picture.read_bytes())})
    assert "queue" in said(answer, 429)
    assert answer.headers["Retry-After"]
    for place_in_queue in taken:
        place_in_queue.__exit__(None, None, None)
    said(service.client.post("/upscale", files={"image": ("a.png", b"")}), 415)
