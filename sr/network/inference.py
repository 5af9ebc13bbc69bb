"""Running the network: bfloat16 where it is native, float32 again where that fails."""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from torch.nn import functional

from preprocessing.errors import LandcastError
from preprocessing.running.precision import autocast, native_bfloat16
from sr.network.rrdb import RRDBNet

__all__ = ["upscale_batch"]

_logger = logging.getLogger(__name__)

_CELLS = 8  # a block of pixels is looked at in 8 x 8 cells
_DARK = 0.02
_LOST = 0.1


@torch.inference_mode()
def upscale_batch(network: RRDBNet, image: Tensor, *, half: bool = True) -> Tensor:
    """Upscale images that fit into memory; each image's result is independent of the batch.

    On the CPU images run one by one: a batch gains nothing there, and the kernels that a library
    picks for another batch size round differently.

    Args:
        network: In evaluation mode; the images are moved to its device.
        image: `(b, c, h, w)` float32, 0..1.
        half: Use bfloat16 where the hardware has it; a result that is not finite, or black where
            the image is not, is computed again in float32.

    Returns:
        `(b, c, 4h, 4w)` float32 on the device of `image`, not clipped.

    Raises:
        LandcastError: The network returns values that are not finite, also in float32.
    """
    device = next(network.parameters()).device
    x = image.to(device, torch.float32).contiguous(memory_format=torch.channels_last)
    parts = torch.split(x, 1 if device.type == "cpu" else len(x))
    result = torch.cat([_run(network, part, half) for part in parts])
    return result.contiguous().to(image.device)


def _run(network: RRDBNet, image: Tensor, half: bool) -> Tensor:
    if half and native_bfloat16(image.device.type):
        with autocast(image.device):
            result: Tensor = network(image).float()
        if torch.isfinite(result).all() and not _black(result, image):
            return result
        _logger.warning("network output is not usable in bfloat16, repeating in float32")
    result = network(image)
    if torch.isfinite(result).all():
        return result
    raise LandcastError(
        f"expected finite values from the super-resolution network for an input of shape "
        f"{tuple(image.shape)}, got NaN or infinity; check the input's range (0..1) and the weights"
    )


def _black(result: Tensor, image: Tensor) -> bool:
    """Whether a part of the result lost its brightness, as numbers that run over leave it."""
    before = functional.adaptive_avg_pool2d(image, _CELLS).mean(dim=1)
    after = functional.adaptive_avg_pool2d(result, _CELLS).mean(dim=1)
    return bool(((before > _DARK) & (after < _LOST * before)).any())
