"""The critic of the GAN phase: a small VGG-style patch discriminator with spectral norm."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["PatchDiscriminator"]

_SLOPE = 0.2
_WIDTHS = (32, 64, 128, 128)


class PatchDiscriminator(nn.Module):
    """Judges patches: pairs of 3x3 and strided 4x4 convolutions, no dense layer.

    The paper's VGG discriminator ends in dense layers for one crop size; this one is fully
    convolutional (Isola et al. 2017), so the crop size is free, and its spectral norm (Miyato et
    al. 2018) needs no batch statistics, which batches of eight could not give.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, _WIDTHS[0], 3, padding=1)]
        for narrow, wide in pairwise(_WIDTHS):
            layers.append(spectral_norm(nn.Conv2d(narrow, wide, 4, stride=2, padding=1)))
            layers.append(spectral_norm(nn.Conv2d(wide, wide, 3, padding=1)))
        self.layers = nn.ModuleList(layers)
        self.head = nn.Conv2d(_WIDTHS[-1], 1, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits and features.

        Args:
            image: `(b, 3, h, w)`, 0..1, h and w multiples of 8.

        Returns:
            Logits `(b, 1, h/8, w/8)`, larger for real images, and the feature maps of each
            resolution, finest first.
        """
        features = []
        x = image * 2 - 1
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            with torch.autocast(image.device.type, enabled=False):
                weight = layer.weight  # The power iteration of the spectral norm, in float32.
            x = functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)
            x = functional.leaky_relu(x, _SLOPE)
            if index % 2 == 0:
                features.append(x)
        logits: Tensor = self.head(x)
        return logits, features
