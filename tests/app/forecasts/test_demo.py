from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
from prepare_cases import prepare_rasters
from skimage.exposure import match_histograms

import app.forecasts.demo
from app.forecasts.demo import run_demo
from app.scores.pairs import evaluate
from app.scores.request import EvaluationRequest
from preprocessing.errors import ModelFolderError, OutputExistsError
from preprocessing.pairs.store import PairStore
from preprocessing.preparation.raster_pair import PrepareConfig
from preprocessing.rasters.io import read_raster
from preprocessing.simulator import WorldConfig, simulate_world
from sr.network.rrdb import RRDBNet


def test_demo_scores_the_forecast_against_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.forecasts.demo, "_SIDE", 160)
    monkeypatch.setattr(app.forecasts.demo, "_MEMBERS", 3)
    result = run_demo(tmp_path / "demo")
    scenes = sorted(path.name for path in result.scene.glob("scene_*.tif"))
    assert len(scenes) == 13
    assert (result.folder / "forecast" / "forecast.mp4").stat().st_size > 1000
    picture = matplotlib.image.imread(result.overview)
    assert min(picture.shape[:2]) > 500
    assert picture[..., :3].std() > 0.1
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in result.table.splitlines()
        if line.startswith("| all")
    ]
    assert [row[1] for row in rows] == ["landcast", "persistence", "dressed persistence"]
    # An independent score of "nothing changes" in the last year; shifts are not removed.
    last = [line for line in result.table.splitlines() if line.startswith("| 2024 | persistence")]
    start, truth = (read_raster(result.scene / f"scene_{year}.tif").data for year in (2019, 2024))
    matched = match_histograms(truth, start, channel_axis=0)
    blocks = (matched - start).reshape(3, 40, 4, 40, 4).mean(axis=(2, 4))
    stated = float(last[0].split("|")[3])
    assert stated == pytest.approx(255 * np.abs(blocks).mean(), rel=0.2)
    assert float(rows[0][3]) > 0
    with pytest.raises(OutputExistsError, match="other files"):
        run_demo(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    world = simulate_world(WorldConfig(height=256, width=256, years=3, seed=80_100))
    pairs, _ = prepare_rasters(
        world.rasters[0], world.rasters[2], PrepareConfig(split="val"), source="simulated/a/b/c"
    )
    made = PairStore.create(tmp_path / "pairs.zarr")
    made.append(pairs)
    return tmp_path / "pairs.zarr"


def test_evaluate_scores_a_forecaster_beside_its_baselines(
    tmp_path: Path, tiny_model_folder: Path, store: Path
) -> None:
    report = evaluate(
        EvaluationRequest(str(tiny_model_folder), [store], tmp_path / "scores", members=4)
    )
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())["scores"]["simulated"]
    pairs = PairStore(store).read("val")
    blocks = (pairs.future.astype(float) - pairs.past) / 255
    blocks = blocks.reshape(-1, 3, 32, 4, 32, 4).mean(axis=(3, 5))
    seen = pairs.valid.reshape(-1, 1, 32, 4, 32, 4).all(axis=(3, 5)).repeat(3, axis=1)
    # Tiles count alike, however much of them was seen.
    tiles = [b[s] for b, s in zip(blocks, seen, strict=True)]
    crps = np.mean([np.abs(tile).mean() for tile in tiles])
    square = np.mean([(tile**2).mean() for tile in tiles])
    assert scores["persistence"]["crps"] == pytest.approx(crps, rel=1e-4)
    assert scores["persistence"]["rmse"] == pytest.approx(np.sqrt(square), rel=1e-4)
    assert scores["persistence"]["spread_skill"] is None
    assert scores["landcast"]["spread_skill"] > 0
    assert "dressed persistence" in report.read_text()


def test_evaluate_scores_an_upscaler_beside_bicubic(tmp_path: Path, store: Path) -> None:
    torch.manual_seed(0)
    network: RRDBNet = RRDBNet(num_blocks=1, global_skip=True)
    network.save_pretrained(tmp_path / "upscaler")
    report = evaluate(
        EvaluationRequest(str(tmp_path / "upscaler"), [store], tmp_path / "scores")
    ).read_text()
    assert "bicubic" in report
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    bicubic = scores["sections"][0]["methods"]["bicubic"]["psnr_db"][0]
    assert 15 < bicubic < 50


def test_evaluate_refuses_a_folder_without_a_model(tmp_path: Path, store: Path) -> None:
    with pytest.raises(ModelFolderError, match="missing"):
        evaluate(EvaluationRequest(str(tmp_path), [store], tmp_path / "scores"))
    assert not (tmp_path / "scores").exists()
