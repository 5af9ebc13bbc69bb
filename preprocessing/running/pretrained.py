"""Reading model folders, one at a time: diffusers changes how modules are made while it reads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from preprocessing.errors import ModelFolderError

__all__ = ["WEIGHTS", "check_parameters", "read_pretrained"]

WEIGHTS = "diffusion_pytorch_model.safetensors"
_M = TypeVar("_M")
_LONGEST = 200

# While it reads, `from_pretrained` replaces the functions that initialise weights, for all threads,
# and `torch.device` as a context is one for all threads too. Two at once would leave them so.
_ONE_AT_A_TIME = threading.RLock()


def read_pretrained(cls: type[_M], folder: str | Path, *, expected: str, advice: str) -> _M:
    """A diffusers model of a folder, in float32.

    Args:
        cls: Its class.
        folder: With `config.json` and safetensors.
        expected: What it should hold, for the error.
        advice: What to do if it does not.

    Raises:
        ModelFolderError: It does not hold one.
    """
    kind: Any = cls
    try:
        with _ONE_AT_A_TIME:
            config = kind.load_config(folder, local_files_only=True)
            check_parameters(lambda: kind.from_config(config), Path(folder) / WEIGHTS)
            model: _M = kind.from_pretrained(
                folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as err:
        raise ModelFolderError(
            f"expected {expected} in {folder}, got: {' '.join(str(err).split())[:_LONGEST]}; "
            f"{advice}"
        ) from err
    return model


def check_parameters(build: Callable[[], nn.Module], weights: Path) -> None:
    """Refuse a configuration of a larger network than the file of weights can fill.

    Args:
        build: Makes the network; its memory is not allocated here.
        weights: The file.

    Raises:
        ModelFolderError: It has more parameters than the file has bytes.
    """
    with _ONE_AT_A_TIME, torch.device("meta"):
        count = sum(parameter.numel() for parameter in build().parameters())
    size = weights.stat().st_size
    if count > size:
        raise ModelFolderError(
            f"expected the weights of {count} parameters in {weights}, it has {size} bytes; "
            "configuration and weights are not of one model, export it again"
        )
