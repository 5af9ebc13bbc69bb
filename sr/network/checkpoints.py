"""Checkpoints of a training run, and networks saved in half precision."""

from __future__ import annotations

import dataclasses
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from preprocessing.errors import ModelFolderError, RequestError
from preprocessing.running.files import share_weights
from preprocessing.running.partial_files import partial_path

__all__ = ["CHECKPOINT", "read_checkpoint", "same_recipe", "save_checkpoint", "save_half"]

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


def same_recipe(state: Mapping[str, Any], config: Any, out: Path) -> None:
    """Refuse to continue with another recipe.

    Args:
        state: Of a checkpoint in `out`; `config` in it holds the fields of its recipe.
        config: The recipe, a dataclass.
        out: Where the checkpoint is.

    Raises:
        RequestError: The recipes differ.
    """
    made_with = type(config)(**state["config"])
    changed = [
        field.name
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(made_with, field.name)
    ]
    if changed:
        raise RequestError(
            f"the checkpoint in {out} was made with another recipe ({', '.join(changed)} differ); "
            "resume with the same recipe or choose another output"
        )


def save_half(network: Any, folder: Path) -> None:
    """Save a float16 copy of a network as diffusers does: config.json and safetensors."""
    # Where it was read from is nobody's business: diffusers would write the path down.
    known = {name: value for name, value in network.config.items() if not name.startswith("_")}
    half = type(network).from_config(known)
    half.load_state_dict(network.state_dict())
    half.half().save_pretrained(folder)
    share_weights(folder)
