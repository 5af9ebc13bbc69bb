"""Features of aerial images, trained without labels: stands in for VGG19 in the loss."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.running.pretrained import read_pretrained
from sr.training.losses import feature_matching_loss

__all__ = ["SHIPPED_FEATURES", "TextureFeatures", "load_texture_features"]

SHIPPED_FEATURES = Path(__file__).parent.parent / "weights" / "texture-features"


class TextureFeatures(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Pairs of 3x3 convolutions as in VGG (Simonyan and Zisserman 2015), a few and narrow ones.

    Trained without labels to tell textures apart (`sr.training.feature_training`). It knows the
    places it was trained on and no objects; its distances are not comparable with those of VGG.

    Args:
        widths: Channels of each level; every level has half the resolution of the one before.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers ships no types
    def __init__(self, widths: tuple[int, ...] = (24, 48, 96, 128)) -> None:
        super().__init__()
        pairs = list(pairwise((3, *widths)))
        self.first = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairs)
        self.second = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for _, b in pairs)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map `(b, 3, h, w)`, 0..1, to the features of each level before activation, finest first.

        h and w are at least `2 ** (levels - 1)`.
        """
        found: list[Tensor] = []
        x = (image - 0.5) / 0.25
        for first, second in zip(self.first, self.second, strict=True):
            x = functional.avg_pool2d(x, 2) if found else x
            x = second(functional.relu(first(x)))
            found.append(x)
            x = functional.relu(x)
        return found

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Relative L1 distance of features, all levels alike (`feature_matching_loss`).

        Args:
            real: `(b, 3, h, w)`, 0..1; no gradient flows into it.
            fake: The same.
        """
        with torch.no_grad():
            target = self(real)
        return feature_matching_loss(target, self(fake))

    def distances(self, real: Tensor, fake: Tensor) -> Tensor:
        """The distance of each image by itself: `(b, 3, h, w)`, 0..1, twice to `(b,)`."""
        images = zip(real[:, None], fake[:, None], strict=True)
        return torch.stack([self.distance(a, b) for a, b in images])


def load_texture_features(folder: str | Path = SHIPPED_FEATURES) -> TextureFeatures:
    """The features with the weights of a folder, frozen, in float32.

    Raises:
        ModelFolderError: The folder does not hold them.
    """
    network: TextureFeatures = read_pretrained(
        TextureFeatures,
        folder,
        expected="the features that 'landcast train features' writes",
        advice="train them again or reinstall landcast",
    )
    network.eval().requires_grad_(False)
    return network
