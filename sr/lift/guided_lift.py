"""The lift: a low-resolution forecast becomes a full-resolution picture, guided by today's.

Where the ground stays, today's pixels stay. Where it changes, the network decides what of today's
detail still holds and what is new; the result has the block means of the forecast.
"""

from __future__ import annotations

import torch
from torch import Tensor

from preprocessing.errors import LandcastError
from preprocessing.running.precision import autocast
from sr.lift.block_means import copied_where_same, fit_range
from sr.lift.network import GuidedRRDBNet

__all__ = ["GuidedLift"]

_SCALE = 4


class GuidedLift:
    """Lifts forecasts with a guided network.

    Args:
        network: Used in evaluation mode, on its own device.
        halo: Blocks of 4x4 pixels around a tile that influence its inside.
    """

    def __init__(self, network: GuidedRRDBNet, *, halo: int = 12) -> None:
        self.network = network.eval()
        self.halo = halo

    @torch.inference_mode()
    def __call__(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        """Lift a batch; each tile's result is independent of the others.

        Args:
            observed: `(b, 3, 4h, 4w)` float32, 0..1: today at full resolution.
            present: `(b, 3, h, w)` float32: means of `observed` over 4x4 blocks.
            future: `(b, 3, h, w)` float32: the forecast.

        Returns:
            `(b, 3, 4h, 4w)` float32 whose 4x4 block means are `future`, within 0..1 where
            `future` is. Blocks without any change are those of `observed`, bit for bit; tiles of
            such blocks alone are not computed.

        Raises:
            ValueError: The shapes do not fit together.
            LandcastError: The network returns values that are not finite.
        """
        batch, channels, height, width = future.shape
        expected = (batch, channels, _SCALE * height, _SCALE * width)
        if present.shape != future.shape or tuple(observed.shape) != expected:
            raise ValueError(
                f"expected `present` of {tuple(future.shape)} and `observed` of {expected}, "
                f"got {tuple(present.shape)} and {tuple(observed.shape)}"
            )
        change = future - present
        result = observed.clone()
        # One by one: the kernels that a library picks for another batch size round differently.
        for tile in torch.nonzero((change != 0).flatten(1).any(dim=1))[:, 0].tolist():
            one = slice(tile, tile + 1)
            lifted = self._lifted(observed[one], present[one], future[one])
            lifted = fit_range(lifted, future[one])
            result[one] = copied_where_same(lifted, observed[one], change[one])
        return result

    def _lifted(self, observed: Tensor, present: Tensor, future: Tensor) -> Tensor:
        device = next(self.network.parameters()).device
        with autocast(device):
            lifted: Tensor = self.network(
                observed.to(device), present.to(device), future.to(device)
            )
        if torch.isfinite(lifted).all():
            return lifted.to(observed.device)
        raise LandcastError(
            f"expected finite values from the guided network for a picture of shape "
            f"{tuple(observed.shape)}, got NaN or infinity; check its range (0..1) and the weights"
        )
