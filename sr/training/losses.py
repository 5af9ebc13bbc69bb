"""Losses of ESRGAN training: relativistic average GAN, and the distance of features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["discriminator_loss", "feature_matching_loss", "generator_loss"]


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic average loss of the discriminator (Jolicoeur-Martineau 2018, with logits).

    Real images shall look more real than fakes do on average, and fakes less than real ones.

    Args:
        real: Logits of real images, any shape.
        fake: Logits of generated images, any shape.
    """
    return 0.5 * (_judge(real, fake, above=True) + _judge(fake, real, above=False))


def generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The generator's half: the discriminator's loss with real and fake exchanged."""
    return 0.5 * (_judge(fake, real, above=True) + _judge(real, fake, above=False))


def _judge(logits: Tensor, others: Tensor, *, above: bool) -> Tensor:
    """Cross entropy of "`logits` exceed the mean of `others`" being `above`."""
    relative = logits.float() - others.float().mean()
    target = torch.full_like(relative, 1.0 if above else 0.0)
    return functional.binary_cross_entropy_with_logits(relative, target)


def feature_matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Relative L1 distance of the features of several layers.

    Of the discriminator's features it is the feature matching of Wang et al. 2018 (pix2pixHD,
    equation 4), with each layer divided by the mean magnitude of its real features, so that all
    layers count alike.

    Args:
        real: Feature maps of the real images, one tensor a layer; no gradient flows into them.
        fake: Feature maps of the generated images, in the same order.
    """
    if len(real) != len(fake) or not real:
        raise ValueError(f"expected as many real as fake layers, got {len(real)} and {len(fake)}")
    terms = []
    for a, b in zip(real, fake, strict=True):
        target = a.detach().float()
        terms.append((b.float() - target).abs().mean() / target.abs().mean().clamp_min(1e-6))
    return torch.stack(terms).mean()
