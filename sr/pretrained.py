"""Loading super-resolution networks from model folders, first of all the shipped one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from preprocessing.errors import ModelFolderError
from preprocessing.files import sha256
from sr.rrdb import RRDBNet

__all__ = ["SHIPPED", "load_network", "network_sha256", "shipped_models"]

SHIPPED = Path(__file__).parent / "weights" / "rrdb16"
_WEIGHTS = "diffusion_pytorch_model.safetensors"


def shipped_models() -> dict[str, Path]:
    """Model folders that come with the package, by name."""
    return {path.parent.name: path.parent for path in sorted(SHIPPED.parent.glob(f"*/{_WEIGHTS}"))}


def load_network(folder: str | Path = SHIPPED, *, device: torch.device | None = None) -> RRDBNet:
    """Load a network strictly: every parameter must be in the folder, and none besides.

    Args:
        folder: Model folder with `config.json` and safetensors, as `save_pretrained` writes it.
        device: Where to put it; a GPU if there is one.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ModelFolderError: Folder or files are missing, damaged, or of another model.
    """
    folder = Path(folder)
    for name in ("config.json", _WEIGHTS):
        if not (folder / name).is_file():
            raise ModelFolderError(
                f"expected a super-resolution model in {folder}, found no {name}; "
                "train one with 'landcast train sr' or reinstall landcast"
            )
    try:
        config = RRDBNet.load_config(folder)
        if config.get("_class_name", "RRDBNet") != "RRDBNet":
            raise ValueError(f"config.json describes a {config['_class_name']}")
        network: RRDBNet = RRDBNet.from_config(config)
        network.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as err:
        raise ModelFolderError(
            f"expected the weights and config of an RRDBNet in {folder}, got: {err}; "
            "train or download the model again"
        ) from err
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    return network


def network_sha256(folder: str | Path = SHIPPED) -> str:
    """Hexadecimal SHA-256 of a model folder's weights.

    Raises:
        ModelFolderError: The folder has none.
    """
    path = Path(folder) / _WEIGHTS
    if not path.is_file():
        raise ModelFolderError(
            f"expected a super-resolution model in {folder}, found no {_WEIGHTS}; "
            "train one with 'landcast train sr' or reinstall landcast"
        )
    return sha256(path)
