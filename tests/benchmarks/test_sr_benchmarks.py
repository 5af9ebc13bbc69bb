"""The benchmarks of super-resolution run, on little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pair_store_cases import make_store
from PIL import Image

from benchmarks.cost import sr
from benchmarks.pictures import lift, sr_depth
from sr.lift.network import GuidedRRDBNet, save_guided


def test_learning_curves_are_drawn_and_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    arguments = [str(store), "--out", str(tmp_path / "out"), "--steps", "3", "--blocks", "1", "2"]
    for _ in range(2):  # The second run finds everything done.
        sr_depth.main(arguments)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1:3] for row in rows[1:3]] == [[" 1 ", " 3 "], [" 2 ", " 3 "]]
    assert rows[:3] == rows[3:]
    with Image.open(tmp_path / "out" / "curves.png") as figure:
        assert np.asarray(figure.convert("L")).std() > 5


def test_speed_is_told_as_ratios(capsys: pytest.CaptureFixture[str]) -> None:
    sr.main(["--blocks", "1", "--sizes", "16", "--repeats", "1"])
    said = capsys.readouterr().out
    assert "| landcast | 1.00 |" in said
    assert "at least 0.65 of the peak" in said


def test_lift_is_scored_beside_simpler_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    torch.manual_seed(0)
    network = GuidedRRDBNet(num_blocks=1, num_features=8, growth_channels=4, head_features=16)
    for folder in (tmp_path / "model", tmp_path / "model" / "psnr"):
        save_guided(network, folder)
    arguments = [str(store), "--model", str(tmp_path / "model"), "--alpha", "0.5"]
    lift.main([*arguments, "--pairs", "2", "--states", "1", "--repeats", "1"])
    printed = capsys.readouterr().out
    assert "toy, 2 whole pairs" in printed
    assert "toy, 2 states" in printed
    for method in ("guided lift", "plain network", "carried detail", "bicubic"):
        assert f"| {method} |" in printed
