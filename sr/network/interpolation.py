"""Network interpolation: weights between a PSNR network and an adversarial one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from preprocessing.errors import ModelFolderError, RequestError
from sr.network.rrdb import RRDBNet

__all__ = ["blend", "interpolate"]


def interpolate(
    state_a: Mapping[str, Tensor], state_b: Mapping[str, Tensor], alpha: float
) -> dict[str, Tensor]:
    """Network interpolation (Wang et al. 2018, section 3.4): `(1 - alpha) a + alpha b`.

    Both should come from one training, the adversarial network having started from the other.
    Networks trained apart fit into each other's place, but nothing in between is one.

    Args:
        state_a: Weights of the PSNR network.
        state_b: Weights of the adversarial network of the same shape.
        alpha: Share of `state_b`, 0..1.

    Raises:
        RequestError: Alpha is out of range.
        ValueError: The networks differ in their parameters.
    """
    if not 0 <= alpha <= 1:
        raise RequestError(f"expected --alpha in 0..1, got {alpha}")
    shapes_a, shapes_b = (
        {key: value.shape for key, value in state.items()} for state in (state_a, state_b)
    )
    if shapes_a != shapes_b:
        differing = sorted(key for key, _ in shapes_a.items() ^ shapes_b.items())
        raise ValueError(f"networks differ: {differing[:4]} ...")
    return {key: torch.lerp(value, state_b[key], alpha) for key, value in state_a.items()}


def blend(psnr: RRDBNet, adversarial: RRDBNet, alpha: float) -> RRDBNet:
    """The network between two, see `interpolate`; `adversarial` is changed into it.

    Raises:
        ModelFolderError: The networks differ in their parameters.
        RequestError: Alpha is out of range.
    """
    try:
        weights = interpolate(psnr.state_dict(), adversarial.state_dict(), alpha)
    except ValueError as err:
        raise ModelFolderError(
            f"expected a PSNR and an adversarial network of one shape: {err}; train the pair again"
        ) from err
    adversarial.load_state_dict(weights)
    adversarial.register_to_config(alpha=None)
    return adversarial
