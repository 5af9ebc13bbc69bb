"""What the network is trained for: occurrence, and appearance where ground changed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from forecast.crps import multiscale_crps
from forecast.network.noise_smoothing import HALO, shaped
from forecast.network.unet import NOISE_CHANNELS, ChangeUNet
from forecast.training.training_samples import Item

__all__ = ["HurdleLoss", "hurdle_loss", "noise_of"]

_MEMBERS = 2
_POOLS, _LAGS = (1, 2, 8), (1, 2, 4)
_SURE = 0.5


@dataclass(frozen=True)
class HurdleLoss:
    """Parts of the loss of a batch, each a scalar.

    Attributes:
        change: Cross-entropy of occurrence among items as they are drawn; `calibrate` then brings
            the log odds to those of the ground.
        look: CRPS of the look of changed ground, in units of contrast.
    """

    change: Tensor
    look: Tensor

    @property
    def total(self) -> Tensor:
        """What is minimised."""
        return 2 * self.change + self.look


def noise_of(
    size: int, cells: int, regional: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Noise of so many members: `(size, 3, cells, cells)` and `(size, regional)`."""
    side = cells + 2 * HALO
    device = generator.device
    white = torch.randn((size, NOISE_CHANNELS, side, side), generator=generator, device=device)
    return shaped(white), torch.randn((size, regional), generator=generator, device=device)


def hurdle_loss(model: ChangeUNet, item: Item, generator: torch.Generator) -> HurdleLoss:
    """The loss of a batch; two members an item.

    Args:
        model: In training mode; may be compiled.
        item: On its device.
        generator: Of that device.
    """
    size, cells = len(item.past), item.future.shape[-1]
    condition = model.condition(item.past, item.tone, item.earlier)
    noise, regional = noise_of(_MEMBERS * size, cells, int(model.config.regional_noise), generator)
    answer = model(
        noise,
        condition.repeat(_MEMBERS, 1, 1, 1),
        item.tone.repeat(_MEMBERS),
        item.years.repeat(_MEMBERS),
        item.gsd_m.repeat(_MEMBERS),
        regional,
    )
    present = F.avg_pool2d(item.past, 4)
    contrast = item.tone.contrast.view(-1, 1, 1, 1)
    target = ((item.future - present) / contrast).clamp(-6, 6)
    entropy = F.binary_cross_entropy_with_logits(
        answer.drawn,
        item.change.repeat(_MEMBERS, 1, 1, 1),
        reduction="none",
    )
    change = (entropy * item.labelled.repeat(_MEMBERS, 1, 1, 1)).mean()
    changed = item.change * (item.change > _SURE) * item.labelled * item.seen
    looks = (answer.look / contrast.repeat(_MEMBERS, 1, 1, 1)).view(_MEMBERS, *target.shape)
    look = multiscale_crps(looks, target, changed, pool_scales=_POOLS, increment_lags=_LAGS)
    return HurdleLoss(change, look)
