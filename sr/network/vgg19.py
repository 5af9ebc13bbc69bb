"""The perceptual loss of ESRGAN: distance of VGG19 features before activation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.errors import ModelFolderError
from preprocessing.quality.features import IMAGENET_MEAN, IMAGENET_STD, vgg_layers
from sr.network.public_checkpoints import read_state_dict

__all__ = ["DOWNLOAD", "VGG19Features", "load_vgg19"]

DOWNLOAD = "download"
_ADDRESS = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

_DEPTHS = (2, 2, 4, 4, 4)  # Simonyan and Zisserman 2015, configuration E.
_PREFIX = "features."


class VGG19Features(nn.Module):
    """VGG19 up to its last convolution, conv5_4, whose output is taken before the activation.

    Modules are numbered as in torchvision, so its weights fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = vgg_layers(_DEPTHS)[:-1]
        self.register_buffer("mean", IMAGENET_MEAN.clone(), persistent=False)
        self.register_buffer("std", IMAGENET_STD.clone(), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Map `(b, 3, h, w)`, 0..1, to features `(b, 512, h/16, w/16)`."""
        features: Tensor = self.features((image - self.mean) / self.std)
        return features

    def distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Mean absolute difference of features (Wang et al. 2018, section 3.3).

        Args:
            real: `(b, 3, h, w)`, 0..1; no gradient flows into it.
            fake: The same.
        """
        with torch.no_grad():
            target = self(real).float()
        return functional.l1_loss(self(fake).float(), target)


def load_vgg19(path: str | Path) -> VGG19Features:
    """The features with weights from a file, frozen.

    Args:
        path: A state dict with torchvision's names (`features.0.weight` ...): its public
            `vgg19-dcbb9e9d.pth`, or safetensors. Weights of the classifier are ignored.
            `download`: fetch the former, once, into the cache of `torch.hub`; its hash is checked.

    Raises:
        MissingFileError: There is no such file.
        ModelFolderError: It holds other weights, or cannot be fetched.
    """
    if str(path) == DOWNLOAD:
        try:
            state = torch.hub.load_state_dict_from_url(
                _ADDRESS, map_location="cpu", check_hash=True, weights_only=True
            )
        except (OSError, RuntimeError) as err:
            raise ModelFolderError(
                f"expected the weights of VGG19 at {_ADDRESS}, they cannot be fetched ({err}); "
                "name a local file as vgg_weights, or leave it empty for the stand-in"
            ) from err
    else:
        path = Path(path)
        state = read_state_dict(path, allow_pickle=True)
    network = VGG19Features()
    try:
        network.load_state_dict({k: v for k, v in state.items() if k.startswith(_PREFIX)})
    except RuntimeError as err:
        raise ModelFolderError(
            f"expected the weights of VGG19 with torchvision's names in {path}, got others: "
            f"{' '.join(str(err).split())[:200]}; see vgg_weights in the recipe"
        ) from err
    return network.eval().requires_grad_(False)
