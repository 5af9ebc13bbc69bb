"""Bounds on what a file may ask for before memory is given to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn

from preprocessing.errors import ModelFolderError, RequestError

__all__ = ["MOST_LAYERS", "MOST_WIDTH", "check_counts", "check_parameters"]

MOST_WIDTH = 4096
"""Channels of a layer."""
MOST_LAYERS = 128
"""Layers or blocks of a network."""


def check_counts(name: str, values: Iterable[object], most: int) -> None:
    """Refuse numbers in a configuration that are no counts of 1 to `most`.

    Raises:
        RequestError: One of them is none.
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise RequestError(f"expected {name} of 1 to {most} in a configuration, got {value!r}")


def check_parameters(build: Callable[[], nn.Module], weights: Path) -> None:
    """Refuse a configuration of a larger network than the file of weights can fill.

    Args:
        build: Makes the network; its memory is not allocated here.
        weights: The file.

    Raises:
        ModelFolderError: It has more parameters than the file has bytes.
    """
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build().parameters())
    size = weights.stat().st_size
    if count > size:
        raise ModelFolderError(
            f"expected the weights of {count} parameters in {weights}, it has {size} bytes; "
            "configuration and weights are not of one model, export it again"
        )
