from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_results import make_result

from app.cli.entry import run
from app.comparison.request import ComparisonRequest
from app.comparison.study import _new_folder
from app.films.animation import animate_folder
from app.upscaling.run import UpscaleRequest, upscale
from app.workflows import train_features, train_sr
from preprocessing.errors import OutputExistsError, OutputInUseError, RequestError
from preprocessing.preparation.store_writer import StoreWriter
from preprocessing.running.files import refuse_occupied, write_text
from preprocessing.running.output_lock import contents, owned_file, owned_folder
from preprocessing.running.partial_files import partial_path, remove_partials_in, remove_partials_of
from preprocessing.series.writer import SeriesWriter
from sr.upscale.bands import UpscaleOptions

Make = Callable[..., Path]

HOLDER = """
import sys, time
from pathlib import Path
from preprocessing.running.output_lock import owned_file, owned_folder
with (owned_folder if sys.argv[1] == "folder" else owned_file)(Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(kind: str, path: Path) -> subprocess.Popen[str]:
    """Another process that holds a result until it is killed."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_of_another_process_is_refused_until_that_one_dies(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    process = hold("folder", out)
    try:
        with pytest.raises(OutputInUseError, match=f"{process.pid} on .* 0 min ago"):
            owned_folder(out).__enter__()
        with pytest.raises(OutputInUseError, match="this run alone"):
            train_sr([], out)
        with pytest.raises(OutputInUseError, match="this run alone"):
            train_features([], out)
        assert contents(out) == []
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(out.iterdir()), "the killed process left its lock file"
    with owned_folder(out):
        assert contents(out) == []
        refuse_occupied(out, "say something")
        (out / "result").touch()
    assert [path.name for path in out.iterdir()] == ["result"]


def test_a_file_of_another_process_is_refused(tmp_path: Path, bicubic_model: str) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    source.touch()
    process = hold("file", out)
    try:
        with pytest.raises(OutputInUseError, match=str(process.pid)):
            upscale(UpscaleRequest(source=source, out=out, options=UpscaleOptions()))
        for writer in (StoreWriter, SeriesWriter):
            with pytest.raises(OutputInUseError, match=str(process.pid)), writer(out):
                pass
    finally:
        process.kill()
        process.wait()
    for writer in (StoreWriter, SeriesWriter):
        with writer(out), pytest.raises(OutputInUseError), writer(out):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_what_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OutputExistsError, match="is a file"), owned_folder(file):
        pass
    with pytest.raises(RequestError, match="cannot"), owned_folder(file / "below"):
        pass
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere" / "deep")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for owned in (owned_file, owned_folder):
        with pytest.raises(RequestError, match="link to nothing"), owned(dangling):
            pass
        with pytest.raises(RequestError, match="loop cannot"), owned(loop):
            pass
        with pytest.raises(RequestError, match="too long"), owned(tmp_path / ("x" * 300)):
            pass
    with pytest.raises(RequestError, match="cannot"), owned_file(Path("/proc/result.tif")):
        pass
    with pytest.raises(RequestError, match="found no"), owned_file(tmp_path / "no" / "file"):
        pass


@pytest.mark.parametrize(
    "command",
    [
        ["hindcast", "{0}", "{1}", "--out", "s3://bucket/run"],
        ["upscale", "{0}", "--out", "s3://bucket/large.tif"],
        ["prepare", "{0}", "{1}", "--out", "gs://bucket/pairs.zarr"],
        ["simulate", "--out", "s3://bucket/world"],
    ],
)
def test_addresses_are_no_folders_of_this_machine(
    command: list[str],
    make_raster: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = [make_raster(f"place_{year}.tif", height=128, width=128) for year in (2015, 2020)]
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert run([part.format(*images) for part in command]) != 0
    told = capsys.readouterr().err
    assert command[-1].split("/")[0] in told
    assert "machine" in told or "address" in told
    assert set(tmp_path.iterdir()) == before


def test_folders_that_stay_empty_go_again(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), owned_folder(tmp_path / "a" / "b"):
        raise ValueError("wrong")
    assert list(tmp_path.iterdir()) == []


def test_partial_names_are_unique_and_removed_by_the_owner_alone(tmp_path: Path) -> None:
    final, other = tmp_path / "a.b.tif", tmp_path / "a.b.c.tif"
    parts = [partial_path(final) for _ in range(3)]
    assert len(set(parts)) == 3
    assert {part.suffix for part in parts} == {".tif"}
    theirs = partial_path(other)
    deep = partial_path(tmp_path / "below" / "x")
    deep.mkdir(parents=True)
    for path in (*parts, theirs, final, tmp_path / ".hidden.tif"):
        path.touch()
    remove_partials_of(final)
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.b.tif",
        ".hidden.tif",
        "below",
        theirs.name,
    }
    remove_partials_in(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"a.b.tif", ".hidden.tif", "below"}


def test_text_that_cannot_be_moved_into_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(OSError, match="name"):
        write_text(tmp_path / "name", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_two_films_of_one_name_are_not_written_at_once(tmp_path: Path) -> None:
    tiny_result = make_result(tmp_path / "result")
    with owned_file(tmp_path / "film.gif"), pytest.raises(OutputInUseError):
        animate_folder(tiny_result, tmp_path / "film.gif")
    animate_folder(tiny_result, tmp_path / "film.gif", max_size=64)


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "base", "pairs.zarr"],
        ["simulate", "--years", "1", "--width", "128", "--height", "128"],
        ["demo"],
        ["upscale", "pictures"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_that_fills_a_folder_owns_it(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").touch()
    command = [str(pictures) if word == "pictures" else word for word in command]
    out = tmp_path / "out"
    with owned_folder(out):
        assert run([*command, "--out", str(out)]) == 2
        assert contents(out) == []
    assert f"process {os.getpid()} on" in capsys.readouterr().err


def test_pairs_are_packed_by_one_run_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pairs.npz"
    with owned_file(out):
        assert run(["train", "pack", "pairs.zarr", "--out", str(out)]) == 2
    assert "is writing it" in capsys.readouterr().err


def test_a_comparison_that_ended_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    request = ComparisonRequest(images=("a.png",), out=tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "comparison.json").touch()
    with (
        pytest.raises(OutputExistsError, match="earlier comparison"),
        _new_folder(request.out, "comparison.json", request),
    ):
        pass
