"""Runs of `landcast upscale`: killed and continued, folders, a full disk, the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pictures import picture
from PIL import Image
from upscale_cases import request

from app.cli.entry import run
from app.upscaling.run import upscale
from preprocessing.errors import LandcastError, OutputExistsError, RequestError
from sr.upscale.raw_raster import RawRaster


def test_killed_run_continues(
    tmp_path: Path,
    make_raster: Callable[..., Path],
    bicubic_model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, out = make_raster(height=80, width=40), tmp_path / "out.tif"
    upscale(request(source, tmp_path / "once.tif", bicubic_model, tile=16))
    marks = RawRaster.mark
    monkeypatch.setattr(RawRaster, "mark", _stopping_at(3, marks))
    with pytest.raises(KeyboardInterrupt):
        upscale(request(source, out, bicubic_model, tile=16))
    assert not out.exists()
    monkeypatch.setattr(RawRaster, "mark", marks)
    with pytest.raises(OutputExistsError, match="--resume"):
        upscale(request(source, out, bicubic_model, tile=16))
    with pytest.raises(RequestError, match="other arguments, or a file that it reads has changed"):
        upscale(request(source, out, bicubic_model, tile=20, resume=True))
    tiles: list[tuple[int, int]] = []
    upscale(
        request(source, out, bicubic_model, tile=16, resume=True),
        progress=lambda stage, done, total: (
            tiles.append((done, total)) if stage == "upscaling" else None
        ),
    )
    assert tiles[0] == (7, 15)  # two of five rows of three tiles were done
    with rasterio.open(out) as first, rasterio.open(tmp_path / "once.tif") as second:
        assert np.array_equal(first.read(), second.read())
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_replacement_is_continued(
    tmp_path: Path,
    make_raster: Callable[..., Path],
    bicubic_model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, out = make_raster(height=72, width=40), tmp_path / "out.tif"
    upscale(request(source, out, bicubic_model, tile=16, outscale=2))
    marks = RawRaster.mark
    monkeypatch.setattr(RawRaster, "mark", _stopping_at(3, marks))
    with pytest.raises(KeyboardInterrupt):
        upscale(request(source, out, bicubic_model, tile=16, overwrite=True))
    monkeypatch.setattr(RawRaster, "mark", marks)
    with rasterio.open(out) as old:
        assert old.shape == (144, 80)
    upscale(request(source, out, bicubic_model, tile=16, resume=True))
    with rasterio.open(out) as new:
        assert new.shape == (288, 160)
    assert not list(tmp_path.glob(".*"))


def _stopping_at(row: int, mark: Callable[..., None]) -> Callable[..., None]:
    def stop(self: RawRaster, name: str, value: int) -> None:
        if value == row:
            raise KeyboardInterrupt
        mark(self, name, value)

    return stop


def test_folders(tmp_path: Path, make_raster: Callable[..., Path], bicubic_model: str) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    make_raster(height=20, width=20).rename(folder / "raster.tif")
    Image.fromarray(np.moveaxis(picture(16, 16), 0, -1)).save(folder / "a.png")
    Image.fromarray(picture(16, 16)[0]).save(folder / "b.bmp")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not an image")
    with pytest.raises(RequestError, match=r"3 of 4 .*broken\.jpg"):
        upscale(request(folder, out, bicubic_model))
    names = ["a.png", "b.png", "raster.tif"]
    assert sorted(p.name for p in out.iterdir()) == names
    (folder / "broken.jpg").unlink()
    times = [(out / name).stat().st_mtime_ns for name in names]
    upscale(request(folder, out, bicubic_model, resume=True))
    assert [(out / name).stat().st_mtime_ns for name in names] == times
    Image.fromarray(picture(16, 16)[0]).save(folder / "a.bmp")
    with pytest.raises(RequestError, match="would become"):
        upscale(request(folder, out, bicubic_model, overwrite=True))


def test_gif_in_folders_and_files_of_no_kind(
    tmp_path: Path, bicubic_model: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    frames = [Image.fromarray(np.full((16, 16, 3), v, np.uint8)) for v in (10, 200)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    frames[1].save(folder / "still.gif")
    (folder / "notes.txt").write_text("no picture")
    written = upscale(request(folder, tmp_path / "out", bicubic_model))
    assert [path.name for path in written] == ["moving.mp4", "still.png"]
    assert "notes.txt is no picture, raster or film: left out" in caplog.text
    with Image.open(tmp_path / "out" / "still.png") as image:
        assert image.size == (64, 64)
        assert abs(int(np.asarray(image.convert("L")).mean()) - 200) <= 1


def test_a_tiff_of_several_pages_and_one_with_a_mask(tmp_path: Path, bicubic_model: str) -> None:
    pages = [Image.fromarray(np.full((16, 16, 3), v, np.uint8)) for v in (10, 200)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(RequestError, match="2 pages"):
        upscale(request(tmp_path / "pages.tif", tmp_path / "out.tif", bicubic_model))
    seen = np.full((16, 16), True)
    seen[:, :8] = False
    profile = {"driver": "GTiff", "width": 16, "height": 16, "count": 3, "dtype": "uint8"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(tmp_path / "masked.tif", "w", **profile) as dataset,
    ):
        dataset.write(np.full((3, 16, 16), 90, np.uint8))
        dataset.write_mask(seen)
    upscale(request(tmp_path / "masked.tif", tmp_path / "out.tif", bicubic_model))
    with rasterio.open(tmp_path / "out.tif") as dataset:
        np.testing.assert_array_equal(dataset.dataset_mask() > 0, np.kron(seen, np.ones((4, 4))))


def test_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(LandcastError, match="free disk"):
        RawRaster(tmp_path, (1, 9, 9), "uint8")
    assert not list(tmp_path.iterdir())


def test_command(tmp_path: Path, bicubic_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.moveaxis(picture(16, 16), 0, -1)).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    command = ["upscale", str(tmp_path / "in.png"), "-o", str(out), "-n", bicubic_model]
    assert run([*command, "-s", "2", "-t", "0", "--tile_pad", "10", "--fp32"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with Image.open(out) as image:
        assert image.size == (32, 32)
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite", "-t", "5"]) == 2
    assert run([*command, "--overwrite", "--ext", "gif"]) == 2
