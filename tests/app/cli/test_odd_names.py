"""Names that no one chose for a terminal, and places for results that cannot hold any."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pystac
import pytest
from rich.console import Console

import app.cli.bars
from app.cli.bars import progress_bars
from app.cli.entry import run
from app.cli.printing import PlainFormatter

ODD = "a\x1b[31m\nb #?%20[red]_2016"


def test_results_of_odd_names_are_whole(
    make_raster: Callable[..., Path],
    tmp_path: Path,
    tiny_model_folder: Path,
    bicubic_model: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = make_raster(f"{ODD}.tif", height=128, width=128)
    out = tmp_path / f"out {ODD}"
    model = ["--model", str(tiny_model_folder), "--years", "1", "--members", "1"]
    assert run(["forecast", str(image), "--out", str(out), "--workers", "1", *model]) == 0
    collection = pystac.Collection.from_dict(json.loads((out / "collection.json").read_text()))
    (link,) = [link.href for link in collection.links if link.rel == "item"]
    assert (out / link).is_file()
    assert not list(out.glob(".*"))

    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(image, folder / f"{ODD}.tif")
    (folder / f"{ODD}.zip").touch()
    out = tmp_path / f"upscaled {ODD}"
    assert run(["upscale", str(folder), "--out", str(out), "--model", bicubic_model]) == 0
    assert (out / f"{ODD}.tif").is_file()
    assert run(["upscale", str(image), "--out", str(tmp_path / f"{ODD}.xyz")]) == 2
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\N{REPLACEMENT CHARACTER}[31m" in said.out
    assert len(said.err.splitlines()[-1]) > 50  # one line, whatever the name holds


def test_logs_hold_one_line_a_message() -> None:
    record = logging.LogRecord(
        "name", logging.WARNING, "", 0, "of %s", ("\x1b]0;title\x07\n",), None
    )
    assert PlainFormatter("%(levelname)s %(message)s").format(record).isprintable()


def test_bars_take_names_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(force_terminal=True, record=True, width=200, file=None, quiet=False)
    monkeypatch.setattr(app.cli.bars, "Console", lambda **_: screen)
    with progress_bars() as progress:
        progress("upscaling [/red] [bold]\x07.png", 1, 1)
    assert "[/red] [bold]\N{REPLACEMENT CHARACTER}.png" in screen.export_text()


@pytest.mark.parametrize(
    "command",
    [
        ["forecast", "IMAGE"],
        ["hindcast", "IMAGE"],
        ["upscale", "IMAGE"],
        ["upscale", "FOLDER"],
        ["prepare", "IMAGE", "IMAGE"],
        ["compare", "IMAGE", "--jpeg", "none", "--crop", "64"],
        ["evaluate", "base", "none.zarr"],
        ["simulate", "--years", "1"],
        ["demo"],
        ["train", "sr", "none.zarr"],
        ["train", "features", "none.zarr"],
        ["train", "forecast", "none.zarr"],
    ],
    ids=" ".join,
)
def test_places_that_hold_no_result_are_refused_in_a_sentence(
    make_raster: Callable[..., Path],
    tmp_path: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = make_raster("a_2016.tif", height=64, width=64)
    shutil.copy(image, (tmp_path / "folder").mkdir() or tmp_path / "folder")
    words = {"IMAGE": str(image), "FOLDER": str(tmp_path / "folder")}
    command = [words.get(word, word) for word in command]
    ending = ".tif" if command[:2] == ["upscale", str(image)] else ""
    dangling, loop = tmp_path / f"dangling{ending}", tmp_path / f"loop{ending}"
    dangling.symlink_to(tmp_path / "nowhere" / "deep")
    loop.symlink_to(loop)
    places = [
        dangling,
        loop,
        tmp_path / ("x" * 300),
        Path(f"/proc/result{ending}"),
        image / "below",
    ]
    for out in places:
        before = sorted(tmp_path.rglob("*"))
        assert run([*command, "--out", str(out)]) == 2, out
        said = [line for line in capsys.readouterr().err.splitlines() if "landcast: " in line]
        assert len(said) == 1
        assert "expected a" in said[0]
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("year", ["9999", "0", "-5", "10000", "2026.5", "MMXX"])
@pytest.mark.parametrize("command", ["forecast", "hindcast"])
def test_years_that_no_image_is_of(
    make_raster: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    year: str,
) -> None:
    image = make_raster("a.tif", height=128, width=128)
    assert run([command, str(image), "--year", year, "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_too_long_is_a_wrong_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["upscale", "x" * 300 + ".tif", "--out", "b.tif"]) == 2
    assert "too long" in capsys.readouterr().err
