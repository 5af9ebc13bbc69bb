"""Checkpoints of a training run, network interpolation, and export of a model folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from preprocessing.errors import ModelFolderError
from sr.recipe import SRTrainingConfig
from sr.rrdb import RRDBNet

__all__ = [
    "CHECKPOINT",
    "PSNR_FOLDER",
    "export",
    "interpolate",
    "read_checkpoint",
    "save_checkpoint",
]

CHECKPOINT = "checkpoint.pt"
PSNR_FOLDER = "psnr"


def save_checkpoint(run: Path, state: Mapping[str, Any]) -> None:
    """Write the state atomically: a killed write leaves the last checkpoint whole."""
    part = run / f"{CHECKPOINT}.part"
    torch.save(dict(state), part)
    os.replace(part, run / CHECKPOINT)


def read_checkpoint(run: Path) -> dict[str, Any]:
    """Read the state of a run.

    Raises:
        ModelFolderError: The folder has no checkpoint.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        raise ModelFolderError(
            f"expected a training checkpoint at {path}, found none; start without resume"
        )
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def interpolate(
    state_a: Mapping[str, Tensor], state_b: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Network interpolation (Wang et al. 2018, section 3.4): `(1 - alpha) a + alpha b`.

    Args:
        state_a: Weights of the PSNR network.
        state_b: Weights of the adversarial network of the same shape.
        alpha: Share of `state_b`, 0..1.

    Raises:
        ValueError: The networks differ in their parameters, or alpha is out of range.
    """
    if state_a.keys() != state_b.keys():
        raise ValueError(f"networks differ: {sorted(state_a.keys() ^ state_b.keys())[:4]} ...")
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha in 0..1, got {alpha}")
    return {key: torch.lerp(value, state_b[key], alpha) for key, value in state_a.items()}


def export(run: str | Path, folder: str | Path, *, alpha: float | None = None) -> RRDBNet:
    """Write the averaged weights of a run as a model folder; possible while it trains.

    Args:
        run: Output folder of `train_sr`.
        folder: Where config and half-precision safetensors go.
        alpha: Share of the adversarial network once that phase runs; the recipe's if None.

    Returns:
        The network, in float32.

    Raises:
        ModelFolderError: The run has no checkpoint.
    """
    run = Path(run)
    state = read_checkpoint(run)
    config = SRTrainingConfig(**state["config"])
    network = config.build(state["num_blocks"])
    weights: dict[str, Tensor] = state["ema"]
    if state["step"] > config.psnr_steps:
        psnr = RRDBNet.from_pretrained(run / PSNR_FOLDER, torch_dtype=torch.float32)
        share = config.alpha if alpha is None else alpha
        weights = interpolate(psnr.state_dict(), weights, share)
    network.load_state_dict(weights)
    save_half(network, Path(folder))
    return network


def save_half(network: RRDBNet, folder: Path) -> None:
    """Save a float16 copy of the network as diffusers does: config.json and safetensors."""
    half = RRDBNet.from_config(network.config)
    half.load_state_dict(network.state_dict())
    half.half().save_pretrained(folder)
