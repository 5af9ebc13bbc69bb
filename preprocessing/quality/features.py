"""Features of pictures: VGG16 where the weights are at hand, else a stand-in of Gabor filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from preprocessing.errors import MissingFileError, ModelFolderError

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "FeatureSpace", "gabor_features", "load_vgg16"]
__all__ += ["vgg_layers"]

Features = Callable[[Tensor], list[Tensor]]

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = (2, 2, 3, 3, 3)
_TAPS = (3, 8, 15, 22, 29)  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
"""Of red, green and blue, 0..1: what VGG's input is normalised by."""
_ORIENTATIONS, _LEVELS, _GABOR_PX = 4, 3, 7
_NO_CONTRAST = 0.02  # Length of a feature vector, range 0..1, that counts as no contrast.


@dataclass(frozen=True)
class FeatureSpace:
    """Where pictures are compared: LPIPS without its learnt weights.

    Feature vectors are scaled to unit length at every place; the squared distance is summed over
    channels, averaged over places, and levels are averaged (Zhang et al. 2018, eq. 1 with w = 1).

    Attributes:
        name: Name of the distance.
        features: Images `(n, 3, h, w)` in 0..1 to maps `(n, f, h', w')`, one a level.
        floor: Added to the length of the vectors, so that faint features count less.
    """

    name: str
    features: Features
    floor: float

    @classmethod
    def gabor(cls) -> FeatureSpace:
        """`gabor_distance`: the stand-in that needs no weights."""
        return cls("gabor_distance", gabor_features, _NO_CONTRAST)

    @classmethod
    def vgg16(cls, weights: Path) -> FeatureSpace:
        """`vgg16_distance`: five levels of VGG16 with weights from a file, see `load_vgg16`."""
        return cls("vgg16_distance", load_vgg16(weights), 1e-10)

    def unit(self, image: Tensor) -> list[Tensor]:
        """Unit vectors `(n, f, h', w')` of the images `(n, 3, h, w)`, a level each."""
        return [x / (x.norm(dim=1, keepdim=True) + self.floor) for x in self.features(image)]

    def distance(self, ours: list[Tensor], theirs: list[Tensor], weight: Tensor) -> Tensor:
        """Distance of pictures, over some of their pixels.

        Args:
            ours: What `unit` gave for `n` images.
            theirs: The same of those they are compared with.
            weight: `(n, 1, h, w)`, 0..1: how much each pixel counts.

        Returns:
            `(n,)` float64; NaN where no pixel counts.
        """
        total = torch.zeros(len(weight), dtype=torch.float64)
        for mine, other in zip(ours, theirs, strict=True):
            height, width = mine.shape[-2:]
            share = F.adaptive_avg_pool2d(weight, (height, width)).double()
            place = (mine - other).square().sum(dim=1, keepdim=True).double()
            total += (place * share).sum(dim=(1, 2, 3)) / share.sum(dim=(1, 2, 3))
        return total / len(ours)


def gabor_features(image: Tensor) -> list[Tensor]:
    """Even and odd Gabor responses of light and two opponent colours, at three octaves.

    A stand-in for learnt features: it sees edges and textures by place, direction and scale, but
    not what they mean.

    Args:
        image: `(n, 3, h, w)`, 0..1.

    Returns:
        Three maps `(n, 24, h / 2^k, w / 2^k)`: 3 colours times 4 directions times 2 phases.
    """
    red, green, blue = image.unbind(dim=1)
    light = (red + green + blue) / 3
    opponent = torch.stack([light, red - green, (red + green) / 2 - blue], dim=1)
    bank = _gabor_bank().to(image)
    maps = []
    for level in range(_LEVELS):
        scaled = F.avg_pool2d(opponent, 2**level) if level else opponent
        margin = _GABOR_PX // 2
        padded = F.pad(scaled, (margin,) * 4, mode="reflect")
        response = F.conv2d(padded.flatten(0, 1)[:, None], bank)
        maps.append(response.view(len(image), -1, *scaled.shape[-2:]))
    return maps


def _gabor_bank() -> Tensor:
    """`(8, 1, 7, 7)`: waves of 4 px under a Gaussian, without mean, unit length."""
    axis = torch.arange(_GABOR_PX, dtype=torch.float32) - _GABOR_PX // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    envelope = torch.exp(-(x**2 + y**2) / (2 * 1.6**2))
    filters = []
    for number in range(_ORIENTATIONS):
        angle = math.pi * number / _ORIENTATIONS
        along = 2 * math.pi / 4 * (x * math.cos(angle) + y * math.sin(angle))
        for wave in (torch.cos(along), torch.sin(along)):
            kernel = envelope * wave
            kernel = kernel - envelope * kernel.sum() / envelope.sum()
            filters.append(kernel / kernel.norm())
    return torch.stack(filters)[:, None]


def vgg_layers(depths: Sequence[int]) -> nn.Sequential:
    """Convolutions of VGG, numbered as in torchvision, so that its weights fit.

    Args:
        depths: Convolutions of each of the five blocks, which are joined by halving.
    """
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in zip(_WIDTHS, depths, strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])


def load_vgg16(path: Path) -> Features:
    """The convolutions of VGG16 (Simonyan and Zisserman 2015), with weights from a file.

    Args:
        path: A state dict with the names of torchvision (`features.0.weight` ...), as `.pth` or
            safetensors. Classifier weights are ignored.

    Raises:
        MissingFileError: There is no such file.
        ModelFolderError: It holds other weights.
    """
    if not path.is_file():
        raise MissingFileError(
            f"expected a file with the weights of VGG16, found none at {path}; "
            "leave the option out to use the stand-in"
        )
    network = vgg_layers(_DEPTHS).eval().requires_grad_(False)
    try:
        if path.suffix == ".safetensors":
            stored = load_file(path)
        else:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        prefix = "features."
        network.load_state_dict(
            {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
        )
    except (
        OSError,
        RuntimeError,
        ValueError,
        AttributeError,
        UnpicklingError,
        SafetensorError,
    ) as err:
        raise ModelFolderError(
            f"expected the weights of VGG16 with torchvision's names in {path}, got: "
            f"{str(err).splitlines()[0]}; save them with torch.save(vgg16.state_dict())"
        ) from err

    def features(image: Tensor) -> list[Tensor]:
        x, maps = (image - IMAGENET_MEAN) / IMAGENET_STD, []
        for number, layer in enumerate(network):
            x = layer(x)
            if number in _TAPS:
                maps.append(x)
        return maps

    return features
