"""Without a model named, the network fits how the file is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written_rasters import noise, write

import app.upscaling.networks
from app.cli.entry import run
from app.upscaling.run import UpscaleRequest, upscale
from sr.network.choice import choose_network
from sr.upscale.bands import UpscaleOptions


def files(folder: Path) -> dict[str, Path]:
    pixels = noise(side=16)
    for suffix in ("jpg", "png"):
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(folder / f"a.{suffix}")
    write(folder / "plain.tif", pixels, compress="deflate")
    write(folder / "jpeg.tif", pixels, compress="jpeg")
    write(folder / "ycbcr.tif", pixels, compress="jpeg", photometric="ycbcr")
    (folder / "film.mp4").write_bytes(b"no film")
    (folder / "misnamed.png").write_bytes((folder / "a.jpg").read_bytes())
    return {path.name: path for path in folder.iterdir()}


def test_what_is_stored_as_jpeg_gets_the_network_for_it(tmp_path: Path) -> None:
    found = {name: choose_network(path).name for name, path in files(tmp_path).items()}
    of_jpeg = {"a.jpg", "jpeg.tif", "ycbcr.tif", "misnamed.png"}
    assert {name for name, model in found.items() if model == "rrdb4-jpeg"} == of_jpeg
    assert set(found.values()) == {"rrdb4-jpeg", "rrdb16"}


def test_the_choice_is_said_and_a_name_or_alpha_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bicubic_model: str
) -> None:
    source = files(tmp_path)["jpeg.tif"]
    asked: list[str] = []
    load = app.upscaling.networks.load_network

    def loaded(name: str, **_: object) -> object:
        asked.append(Path(name).name)
        return load(bicubic_model)

    monkeypatch.setattr(app.upscaling.networks, "load_network", loaded)
    said: list[str] = []
    how: list[dict[str, object]] = [{}, {"model": "rrdb1"}, {"blend": 0.5}]
    for number, options in enumerate(how):
        request = UpscaleRequest(source, tmp_path / f"{number}.tif", UpscaleOptions(), **options)
        upscale(request, notice=said.append)
    assert asked == ["rrdb4-jpeg", "rrdb1", "rrdb16"]
    assert said == ["jpeg.tif: taking rrdb4-jpeg, as it is stored as JPEG (--model)"]


def test_a_folder_gets_a_network_for_each_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.moveaxis(noise(side=8), 0, -1)
    for name in ("a.jpg", "b.png", "c.jpg"):
        Image.fromarray(pixels).save(folder / name)
    assert run(["upscale", str(folder), "--out", str(tmp_path / "out")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "taking" in line]
    assert [line.split(" taking ")[1].split(",")[0] for line in said] == [
        "rrdb4-jpeg",
        "rrdb16",
        "rrdb4-jpeg",
    ]
