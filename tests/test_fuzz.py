"""Damaged inputs of every kind end with 0, 1 or 2 and one sentence, soon and in little memory."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_cases import SECONDS
from pictures import picture
from PIL import Image
from written_rasters import noise, write

HERE = Path(__file__).parent / "shared"
KINDS = ("tif", "png", "jpg", "csv", "models")
EACH = 40


def make_inputs(folder: Path, tiny_model_folder: Path, bicubic_model: str) -> None:
    folder.mkdir()
    pixels = noise(side=24)
    write(folder / "a_2016.tif", pixels)
    write(folder / "b_2018.tif", pixels)
    for date in ("2016-03-04", "2018-05-06"):
        write(folder / f"{date}.tif", picture(140, 140))
    for suffix in ("png", "jpg"):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"a_2016.{suffix}")
    with (folder / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "dataset", "place", "date", "path", "gsd_m"])
        for date in ("2016-03-04", "2018-05-06"):
            writer.writerow(["train", "d", "p", date, f"{date}.tif", 10])
    shutil.copytree(tiny_model_folder, folder / "states")
    shutil.copytree(bicubic_model, folder / "sr")


@pytest.mark.slow
def test_damaged_inputs_end_with_a_sentence(
    tmp_path: Path, tiny_model_folder: Path, bicubic_model: str
) -> None:
    make_inputs(tmp_path / "inputs", tiny_model_folder, bicubic_model)
    done = subprocess.run(
        [sys.executable, str(HERE / "fuzz_cases.py"), str(tmp_path), str(EACH), *KINDS],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (found[-1:], done.stderr[-2000:])  # -14 is a hang
    assert len(found) == EACH * len(KINDS)
    faults = []
    for kind, number, command, code, lines, seconds in found:
        sentences = [line for line in lines if line.startswith("landcast: ")]
        raw = any("Traceback" in line or "(add --debug" in line for line in lines)
        if code not in (0, 1, 2) or raw or len(sentences) != (code != 0) or seconds > SECONDS:
            faults.append((kind, number, command, code, lines))
    assert not faults
    assert {0, 2} <= {code for _, _, _, code, *_ in found}
