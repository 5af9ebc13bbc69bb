"""Disks that are full: refused or ended with a sentence, and resumed when there is room."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.cli.failures import sentence_of
from preprocessing.errors import NoSpaceError
from preprocessing.rasters.whole_files import check_whole
from preprocessing.running import disk_space
from preprocessing.running.disk_space import allocate, check_space, mapped_array

HERE = Path(__file__).parents[2] / "shared"


def namespaces() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def on_small_disks(disk: Path, sizes: str, *command: str) -> list[tuple[int, str, int, bool]]:
    disk.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, str(HERE / "full_disk.py"), str(disk), sizes, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)[1:]) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no file system can be mounted here")
def test_a_forecast_on_a_full_disk_says_so_and_resumes(
    make_raster: Callable[..., Path], tiny_model_folder: Path, tmp_path: Path
) -> None:
    region = make_raster("region_2020.tif", height=128, width=128)
    disk = tmp_path / "disk"
    command = ["forecast", str(region), "--out", str(disk / "out"), "--model"]
    command += [str(tiny_model_folder), "--years", "1", "--members", "2", "--workers", "1"]
    found = on_small_disks(disk, "300,700,800,900,1000,1100,1200,1400,9000", *command)
    assert [code for code, *_ in found][-1] == 0
    full = [(code, said) for code, said, *_ in found if code]
    assert len(full) >= 4
    for code, said in full:
        assert code == 1
        assert said.splitlines()[-1].startswith("landcast: ")
        assert "--resume" in said or "free some" in said
        assert "Traceback" not in said
    assert all(again == 0 and not left for *_, again, left in found)


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no file system can be mounted here")
def test_upscaling_on_a_full_disk_says_so_and_resumes(tmp_path: Path, bicubic_model: str) -> None:
    picture = tmp_path / "in.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(picture)
    disk = tmp_path / "disk"
    command = ["upscale", str(picture), "--out", str(disk / "out.png"), "--model", bicubic_model]
    found = on_small_disks(disk, "100,250,350,450,5000", *command)
    assert [code for code, *_ in found] == [1, 1, 1, 1, 0] or found[-1][0] == 0
    for code, said, again, left in found:
        assert code in (0, 1)
        assert again == 0
        assert not left
        assert code == 0 or "free some" in said or "--resume" in said


def test_space_is_taken_before_a_map_is_written(tmp_path: Path) -> None:
    values = mapped_array(tmp_path / "a.npy", np.float32, (3, 100, 200))
    values[:] = 7
    values.flush()
    assert (np.load(tmp_path / "a.npy") == 7).all()
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 3 * 100 * 200 * 4
    with pytest.raises(NoSpaceError, match="for the rest"):
        check_space(tmp_path, 2**62, "the rest")


def test_a_file_that_finds_no_room_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk_space.os, "posix_fallocate", full)
    with pytest.raises(NoSpaceError, match="--resume"):
        allocate(tmp_path / "a", 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", [8, 100, 10_000])
def test_a_raster_whose_end_is_missing_is_not_whole(
    make_raster: Callable[..., Path], lost: int
) -> None:
    valid = np.random.default_rng(0).random((600, 700)) > 0.5
    path = make_raster(height=600, width=700, valid=valid)
    check_whole(path, masked=True)
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(NoSpaceError, match="missing"):
        check_whole(path, masked=True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.npy"), "the disk is full at x.npy"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full; free"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0"), "could not be written"),
        (PermissionError(errno.EACCES, "Permission denied", "out"), "allowed to write at out"),
        (ValueError("odd"), "ValueError: odd (add --debug"),
    ],
)
def test_failures_are_sentences(error: Exception, expected: str) -> None:
    assert expected in sentence_of(error)
