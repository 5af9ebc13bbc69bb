"""Weights, configurations and checkpoints that are cut off or hold something else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from forecast.baselines import DressedPersistence
from forecast.hindcast.observations import ObservationModels
from forecast.pretrained import load_model, model_folder
from forecast.region.familiarity import Familiarity
from forecast.training.checkpoint import resume
from forecast.training.config import ForecastTraining
from preprocessing.errors import ModelFolderError
from preprocessing.lasting_change.classifier import SHIPPED, ChangeClassifier
from sr.lift.network import GuidedRRDBNet, load_guided, save_guided
from sr.network.checkpoints import CHECKPOINT, read_checkpoint
from sr.network.pretrained import load_network, shipped_models
from sr.network.texture_features import SHIPPED_FEATURES, load_texture_features

WEIGHTS, CONFIG = "diffusion_pytorch_model.safetensors", "config.json"
UPSCALER = shipped_models()["rrdb4-jpeg"]


def resumed(folder: Path) -> object:
    unused: Any = None
    at = folder / CHECKPOINT
    return resume(at, ForecastTraining(), unused, unused, unused, torch.device("cpu"))


def make_lift(folder: Path) -> None:
    save_guided(GuidedRRDBNet(num_blocks=1, num_features=8, growth_channels=4), folder)


def make_checkpoint(folder: Path) -> None:
    folder.mkdir()
    torch.save({"step": 1, "model": torch.zeros(500)}, folder / CHECKPOINT)


CASES: dict[str, tuple[Callable[[Path], object], Any, str]] = {
    "forecaster": (load_model, model_folder(), WEIGHTS),
    "configuration of a forecaster": (load_model, model_folder(), CONFIG),
    "familiarity": (Familiarity.load, model_folder(), "familiarity.safetensors"),
    "observations": (ObservationModels.load, model_folder(), "observations.json"),
    "observations of one image": (
        ObservationModels.load,
        model_folder(),
        "observations_alone.json",
    ),
    "residuals": (DressedPersistence.load, model_folder(), "dressed_persistence.json"),
    "upscaler": (load_network, UPSCALER, WEIGHTS),
    "configuration of an upscaler": (load_network, UPSCALER, CONFIG),
    "features": (load_texture_features, SHIPPED_FEATURES, WEIGHTS),
    "configuration of features": (load_texture_features, SHIPPED_FEATURES, CONFIG),
    "classifier": (ChangeClassifier.load, SHIPPED, WEIGHTS),
    "configuration of a classifier": (ChangeClassifier.load, SHIPPED, CONFIG),
    "lift": (load_guided, make_lift, WEIGHTS),
    "configuration of a lift": (load_guided, make_lift, CONFIG),
    "checkpoint of an upscaler": (read_checkpoint, make_checkpoint, CHECKPOINT),
    "checkpoint of a forecaster": (resumed, make_checkpoint, CHECKPOINT),
}
WRONG = [[[]], 5, None, "text", [5]]


@pytest.mark.parametrize("case", CASES)
def test_damaged_files_are_told(tmp_path: Path, case: str) -> None:
    load, source, name = CASES[case]
    folder = tmp_path / "model"
    if callable(source):
        source(folder)
    else:
        shutil.copytree(source, folder)
    if load is not resumed:
        load(folder)
    content = (folder / name).read_bytes()
    damaged = [content[: int(share * len(content))] for share in (0, 0.01, 0.5, 0.99)]
    damaged += [b"\xff" * 99, content[:8] + b"\xff" * 64 + content[72:]]
    if name.endswith(".json"):
        damaged = damaged[:3] + [json.dumps(value).encode() for value in WRONG]
    for bad in damaged:
        (folder / name).write_bytes(bad)
        with pytest.raises(ModelFolderError) as caught:
            load(folder)
        assert str(folder) in str(caught.value)
