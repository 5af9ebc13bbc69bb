"""Pages beside the map, each with the one thing it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from run_cases import place
from streamlit.testing.v1 import AppTest

from app.web.service import Service
from app.web.views import __file__ as views_file
from preprocessing.errors import RequestError

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

    monkeypatch.setattr(held.upscaling, "_do", do)
    path = tmp_path / "garden.png"
    Image.new("RGB", (20, 16), (10, 90, 20)).save(path)
    page = start("upscale.py")
    page.file_uploader(key="upscaled").set_value((path.name, path.read_bytes(), "")).run()
    assert not page.exception
    assert len(page.get("bidi_component")) == 1
    page.run()
    assert len(jobs) == 1


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
        if not list(Path(job[1]).glob("*.png")):
            raise RequestError("expected pictures")
        out = Path(job[2])
        out.mkdir()
        (out / "report.md").write_text("# Report\n![curves](curves.png) best: [a](a.json)\n")
        Image.new("RGB", (8, 8)).save(out / "curves.png")

    monkeypatch.setattr(held.upscaling, "_do", do)
    path = tmp_path / "garden.png"
    Image.new("RGB", (80, 80), (10, 90, 20)).save(path)
    page = start("compare.py")
    page.file_uploader(key="compared").set_value([(path.name, path.read_bytes(), "")]).run()
    page.button[0].click().run()
    assert not page.exception
    assert not page.error
    assert "best: a" in page.markdown[-1].value
