"""What a training run leaves behind: weights to forecast with, and a state to go on from."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from torch import nn

from forecast.network.unet import ChangeUNet
from forecast.training.config import ForecastTraining
from preprocessing.errors import ModelFolderError, RequestError
from preprocessing.running.partial_files import partial_path

__all__ = ["export_weights", "resume", "save_checkpoint"]


def export_weights(model: ChangeUNet, folder: Path) -> None:
    """Write the weights as float16, through a folder of another name."""
    part = partial_path(folder)
    copy: ChangeUNet = ChangeUNet.from_config(model.config)
    copy.load_state_dict({name: value.detach().cpu() for name, value in model.state_dict().items()})
    copy.half().save_pretrained(part)
    if folder.exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    os.replace(part, folder)


def save_checkpoint(
    path: Path,
    config: ForecastTraining,
    model: nn.Module,
    ema: EMAModel,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    """Write all that a run needs to go on, in one move."""
    part = partial_path(path)
    state = {
        "shape": _shape(config),
        "model": model.state_dict(),
        "ema": ema.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
    }
    torch.save(state, part)
    os.replace(part, path)


def _shape(config: ForecastTraining) -> str:
    """What a run that goes on has to keep."""
    kept = (config.block_out_channels, config.layers_per_block, config.regional_noise, config.seed)
    return json.dumps(kept)


def resume(
    path: Path,
    config: ForecastTraining,
    model: nn.Module,
    ema: EMAModel,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    """Go on from a checkpoint, if there is one.

    Returns:
        Steps done.

    Raises:
        ModelFolderError: It is damaged.
        RequestError: It is of a run with another recipe.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as err:
        raise ModelFolderError(
            f"expected the checkpoint of a training, {path} is damaged ({type(err).__name__}); "
            "remove it to begin again"
        ) from err
    if state.get("shape", _shape(config)) != _shape(config):
        raise RequestError(
            f"expected a recipe with the widths, layers, regional noise and seed {state['shape']} "
            f"of the run in {path.parent}, got {_shape(config)}; repeat its recipe"
        )
    model.load_state_dict(state["model"])
    ema.load_state_dict(state["ema"])
    ema.to(device)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
