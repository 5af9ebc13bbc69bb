"""Checkpoints of a training run, and export of a model folder."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from preprocessing.errors import ModelFolderError
from preprocessing.running.files import share_weights
from preprocessing.running.partial_files import partial_path
from preprocessing.running.pretrained import read_pretrained
from sr.network.interpolation import blend
from sr.network.pretrained import PSNR_FOLDER
from sr.network.rrdb import RRDBNet
from sr.training.recipe import SRTrainingConfig

__all__ = [
    "CHECKPOINT",
    "export",
    "read_checkpoint",
    "save_checkpoint",
]

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(run: Path, state: Mapping[str, Any]) -> None:
    """Write the state atomically: a killed write leaves the last checkpoint whole."""
    part = partial_path(run / CHECKPOINT)
    torch.save(dict(state), part)
    os.replace(part, run / CHECKPOINT)


def read_checkpoint(run: Path) -> dict[str, Any]:
    """Read the state of a run.

    Raises:
        ModelFolderError: The folder has no checkpoint, or a damaged one.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise ModelFolderError(
            f"expected a training checkpoint at {path}, found none; start without --resume"
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as err:
        raise ModelFolderError(
            f"expected a training checkpoint, {path} is damaged ({type(err).__name__}); remove it "
            "and begin again in another folder"
        ) from err
    return state


def export(run: str | Path, folder: str | Path, *, alpha: float | None = None) -> RRDBNet:
    """Write the averaged weights of a run as a model folder; possible while it trains.

    Once the adversarial phase runs, the folder holds a pair: the adversarial network, and in
    `psnr/` the one it started from. `load_network` blends them.

    Args:
        run: Output folder of `train_sr`.
        folder: Where config and half-precision safetensors go.
        alpha: Share of the adversarial network that the folder advises; the recipe's if None.

    Returns:
        The network, in float32; of a pair, the blend.

    Raises:
        ModelFolderError: The run has no checkpoint.
    """
    run, folder = Path(run), Path(folder)
    state = read_checkpoint(run)
    config = SRTrainingConfig(**state["config"])
    adversarial = state["step"] > config.psnr_steps
    share = config.alpha if alpha is None else alpha
    network = config.build(state["num_blocks"], alpha=share if adversarial else None)
    network.load_state_dict(state["ema"])
    if not adversarial:
        save_half(network, folder)
        return network
    psnr: RRDBNet = read_pretrained(
        RRDBNet,
        run / PSNR_FOLDER,
        expected="the PSNR network of a training run",
        advice="train it again",
    )
    if folder.resolve() != run.resolve():
        save_half(psnr, folder / PSNR_FOLDER)
    save_half(network, folder)
    return blend(psnr, network, share)


def save_half(network: RRDBNet, folder: Path) -> None:
    """Save a float16 copy of the network as diffusers does: config.json and safetensors."""
    # Where it was read from is nobody's business: diffusers would write the path down.
    known = {name: value for name, value in network.config.items() if not name.startswith("_")}
    half = RRDBNet.from_config(known)
    half.load_state_dict(network.state_dict())
    half.half().save_pretrained(folder)
    share_weights(folder)
