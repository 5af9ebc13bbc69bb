"""A model folder from a training run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel

from forecast.baselines import DressedPersistence
from forecast.colours import LandColours
from forecast.training.calibration import Calibration
from forecast.training.checkpoint import CHECKPOINT, load_checkpoint
from forecast.unet import ForecastUNet
from preprocessing.files import share_weights

__all__ = ["export_model"]

_LAST = "config.json"  # Without it a folder is no model.


def export_model(
    run: Path,
    out: Path,
    *,
    dressed: DressedPersistence,
    colours: LandColours,
    pairs: dict[str, int],
) -> Path:
    """Write the averaged weights of a run's checkpoint as a model folder, in float16.

    They are those of the best validation if the run may stop early, else the last ones. All is
    written aside, then moved into place; until it is, a model that was there stays whole.

    Args:
        run: Folder with the checkpoint.
        out: Model folder.
        dressed: The baseline, fitted to the training pairs.
        colours: Of the training pairs.
        pairs: Training pairs by dataset.
    """
    state = load_checkpoint(run)
    model: ForecastUNet = ForecastUNet.from_config(json.loads(state["model_config"]))
    model.load_state_dict(state["model"])
    ema = EMAModel(model.parameters())
    ema.load_state_dict(state["ema"] if state["best"] is None else state["best"]["ema"])
    ema.copy_to(model.parameters())
    facts = {
        "config": json.loads(state["config"]),
        "init_sha256": json.loads(state["identity"])["init"],
        "steps_done": state["step"],
        "exported_step": state["step"] if state["best"] is None else state["best"]["step"],
        "seconds": round(state["seconds"]),
        "pairs": pairs,
        "torch": torch.__version__.split("+")[0],
    }
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as name:
        aside = Path(name)
        model.half().save_pretrained(aside)
        share_weights(aside)
        dressed.save(aside)
        colours.save(aside)
        (aside / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        for path in sorted(aside.iterdir(), key=lambda path: path.name == _LAST):
            os.replace(path, out / path.name)
    return out


def export_calibrated(folder: Path, out: Path, calibration: Calibration) -> Path:
    """Copy a model folder to the new folder `out`, with a calibration and `calibration.json`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        aside = Path(name) / out.name
        shutil.copytree(folder, aside, ignore=shutil.ignore_patterns(CHECKPOINT, "tensorboard"))
        config = json.loads((aside / _LAST).read_text(encoding="utf-8"))
        config["noise_scale"] = calibration.noise_scale
        (aside / _LAST).write_text(f"{json.dumps(config, indent=2, sort_keys=True)}\n")
        (aside / "calibration.json").write_text(json.dumps(calibration.record(), indent=1))
        os.replace(aside, out)
    return out
