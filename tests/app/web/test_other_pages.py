"""Pages beside the map, each with the one thing it does."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from fake_results import scene, write
from PIL import Image
from run_cases import place
from streamlit.testing.v1 import AppTest

from app.runs import ServerSettings
from app.runs.video_checks import check_film
from app.web.before_after import _picture
from app.web.service import Service
from app.web.views import __file__ as views_file
from preprocessing.errors import TooLargeError, UnreadableRasterError

FOLDER = Path(views_file).parent


def start(name: str) -> AppTest:
    return AppTest.from_file(str(FOLDER / name), default_timeout=120).run()


def test_two_dates_are_prepared(held: Service, tmp_path: Path) -> None:
    page = start("prepare.py")
    assert page.button[0].disabled
    for name, year in (("earlier", 2016), ("later", 2020)):
        path = place(tmp_path / f"place_{year}.tif", height=192, width=256)
        page.file_uploader(key=f"prepare_{name}").set_value((path.name, path.read_bytes(), ""))
    page.run()
    page.button[0].click().run()
    assert not page.exception
    assert not page.error
    shift, left, kept = page.metric
    assert shift.value == "0.00 px"
    assert left.value.endswith(" px")
    assert int(kept.value.split(" / ")[1]) >= 1
    assert len(page.dataframe) == 1
    histograms, tiles = (one.proto.body for one in page.get("html"))
    assert "<img" in histograms
    assert "<img" in tiles


def test_images_that_cannot_be_prepared_are_refused(held: Service, tmp_path: Path) -> None:
    page = start("prepare.py")
    for name, year in (("earlier", 2016), ("later", 2020)):
        path = place(tmp_path / f"place_{year}.tif")
        page.file_uploader(key=f"prepare_{name}").set_value((path.name, path.read_bytes(), ""))
    page.run()
    page.button[0].click().run()
    assert not page.exception
    assert "common ground" in page.error[0].value
    assert "landcast-prepare" not in page.error[0].value


def test_a_picture_is_upscaled_once(
    held: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = []

    def do(job: list[str]) -> None:
        jobs.append(job)
        with Image.open(job[1]) as picture:
            picture.resize((4 * picture.width, 4 * picture.height)).save(job[2])

    monkeypatch.setattr(held.short_jobs, "_do", do)
    path = tmp_path / "garden.png"
    Image.new("RGB", (20, 16), (10, 90, 20)).save(path)
    page = start("upscale.py")
    page.file_uploader(key="upscaled").set_value((path.name, path.read_bytes(), "")).run()
    assert not page.exception
    assert len(page.get("bidi_component")) == 1
    page.run()
    assert len(jobs) == 1


def test_the_range_of_a_raster_is_asked(
    held: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[list[str]] = []
    monkeypatch.setattr(held.short_jobs, "_do", jobs.append)
    path = write(tmp_path / "deep.tif", 10 * scene(2020).astype(np.uint16))
    page = start("upscale.py")
    page.file_uploader(key="upscaled").set_value((path.name, path.read_bytes(), "")).run()
    assert not jobs
    page.number_input(key="high").set_value(2550.0).run()
    page.button[0].click().run()
    ((_, source, _, *limits),) = jobs
    assert Path(source).name == "deep.tif"
    assert limits == ["0.0", "2550.0"]


@pytest.mark.parametrize(
    ("name", "kind", "bands"),
    [("deep.tif", np.uint16, 3), ("one.tif", np.uint8, 1), ("two.tif", np.uint8, 2)],
)
def test_every_raster_that_is_upscaled_is_shown(
    held: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    kind: type,
    bands: int,
) -> None:
    monkeypatch.setattr(held.short_jobs, "_do", lambda job: shutil.copy(job[1], job[2]))
    path = write(tmp_path / name, scene(2020)[:bands].astype(kind))
    page = start("upscale.py")
    page.file_uploader(key="upscaled").set_value((path.name, path.read_bytes(), "")).run()
    if page.button:
        page.button[0].click().run()
    assert not page.exception
    assert not page.error
    (shown,) = page.get("bidi_component")
    assert shown.proto.json.count("data:image/webp;base64,") == 2


def test_grey_of_16_bits_is_shown_as_bright_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 20), 3 * 2**13, np.uint16)).save(tmp_path / "a.png")
    shown = _picture(tmp_path / "a.png", None)
    assert shown.shape == (16, 20, 3)
    assert (shown == 95).all()


def film(path: Path, frames: int) -> bytes:
    """An MP4 of 64 x 48 pixels a frame."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 64, 48
        for number in range(frames):
            frame = Image.new("RGB", (64, 48), (10 * number % 250, 90, 20))
            made.mux(stream.encode(av.VideoFrame.from_image(frame)))
        made.mux(stream.encode())
    return path.read_bytes()


def test_a_film_is_upscaled(held: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []

    def do(job: list[str]) -> None:
        jobs.append(job)
        shutil.copy(job[1], job[2])

    monkeypatch.setattr(held.short_jobs, "_do", do)
    page = start("upscale.py")
    content = film(tmp_path / "a.mp4", 4)
    page.file_uploader(key="upscaled").set_value(("a.mp4", content, "video/mp4")).run()
    assert not page.exception
    assert not page.error
    assert [(Path(job[1]).suffix, Path(job[2]).name) for job in jobs] == [(".mp4", "image.mp4")]
    (shown,) = page.get("bidi_component")
    assert shown.proto.json.count("data:video/mp4;base64,") == 2


def test_films_that_are_none_or_too_long_are_refused(tmp_path: Path) -> None:
    settings = ServerSettings(pixels=64 * 48 * 5)
    film(tmp_path / "a.mp4", 5)
    check_film(tmp_path / "a.mp4", settings)
    film(tmp_path / "b.mp4", 6)
    with pytest.raises(TooLargeError, match="each of 6 frames"):
        check_film(tmp_path / "b.mp4", settings)
    for content in (b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile x\n", b""):
        (tmp_path / "c.mp4").write_bytes(content)
        with pytest.raises(UnreadableRasterError, match="none by its content"):
            check_film(tmp_path / "c.mp4", settings)


def test_what_cannot_be_upscaled_is_refused(held: Service) -> None:
    page = start("upscale.py")
    page.file_uploader(key="upscaled").set_value(("a.png", b"<svg/>", "")).run()
    assert not page.exception
    assert "none by its content" in page.error[0].value
    assert "landcast-upscaled" not in page.error[0].value


def test_pictures_are_compared(
    held: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do(job: list[str]) -> None:
        assert len(list(Path(job[1]).rglob("*.png"))) == 2
        out = Path(job[2])
        out.mkdir()
        (out / "report.md").write_text("# Report\n![curves](curves.png) best: [a](a.json)\n")
        Image.new("RGB", (8, 8)).save(out / "curves.png")

    monkeypatch.setattr(held.short_jobs, "_do", do)
    path = tmp_path / "garden.png"
    Image.new("RGB", (80, 80), (10, 90, 20)).save(path)
    page = start("compare.py")
    page.file_uploader(key="compared").set_value([(path.name, path.read_bytes(), "")] * 2).run()
    page.button[0].click().run()
    assert not page.exception
    assert not page.error
    assert "best: a" in page.markdown[-1].value
