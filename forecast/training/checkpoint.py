"""Resumable checkpoints of a training run, written under a temporary name and moved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from preprocessing.errors import ModelFolderError

__all__ = ["CHECKPOINT", "load_checkpoint", "save_checkpoint"]

CHECKPOINT = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint of `folder` in one move."""
    temporary = folder / f".{CHECKPOINT}.part"
    torch.save(state, temporary)
    os.replace(temporary, folder / CHECKPOINT)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Read the checkpoint of `folder`; tensors and plain values only.

    Raises:
        ModelFolderError: There is none.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise ModelFolderError(
            f"expected a training run with {CHECKPOINT} in {folder}, found none; "
            "start without --resume"
        )
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
