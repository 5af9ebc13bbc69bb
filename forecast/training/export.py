"""A model folder from a training run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel

from forecast.baselines import DressedPersistence
from forecast.training.checkpoint import load_checkpoint
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.pair_index import PairIndex

__all__ = ["export_model"]


def export_model(run: Path, stores: Sequence[str | Path], out: Path) -> Path:
    """Write the averaged weights of a run's checkpoint as a model folder, in float16.

    They are those of the best validation if the run may stop early, else the last ones.

    Args:
        run: Folder with the checkpoint.
        stores: The stores it was trained on: the dressing of the baseline is taken from them.
        out: Model folder.
    """
    state = load_checkpoint(run)
    data = PairData(PairIndex.of(stores, "train", side_px=None), seed=0)
    model: ForecastUNet = ForecastUNet.from_config(json.loads(state["model_config"]))
    model.load_state_dict(state["model"])
    ema = EMAModel(model.parameters())
    ema.load_state_dict(state["ema"] if state["best"] is None else state["best"]["ema"])
    ema.copy_to(model.parameters())
    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(out)
    DressedPersistence.fit(data).save(out)
    facts = {
        "config": json.loads(state["config"]),
        "init_sha256": json.loads(state["identity"])["init"],
        "steps_done": state["step"],
        "exported_step": state["step"] if state["best"] is None else state["best"]["step"],
        "seconds": round(state["seconds"]),
        "pairs": data.counts,
        "torch": torch.__version__.split("+")[0],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return out
