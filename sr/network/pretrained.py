"""Loading super-resolution networks: shipped ones, model folders, public checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from preprocessing.errors import ModelFolderError
from preprocessing.running.files import sha256
from preprocessing.running.pretrained import WEIGHTS, check_parameters
from sr.network.interpolation import blend
from sr.network.public_checkpoints import read_public_checkpoint
from sr.network.rrdb import RRDBNet

__all__ = ["PSNR_FOLDER", "SHIPPED", "is_pair", "is_shipped", "load_network", "network_sha256"]
__all__ += ["shipped_models"]

PSNR_FOLDER = "psnr"
"""In the folder of an adversarial network: the PSNR network that it was trained from."""
SHIPPED = Path(__file__).parent.parent / "weights" / "rrdb16"


def shipped_models() -> dict[str, Path]:
    """Model folders that come with the package, by name."""
    return {
        path.parent.name: path.parent for path in sorted(SHIPPED.parent.glob(f"rrdb*/{WEIGHTS}"))
    }


def is_shipped(name: str | Path) -> bool:
    """Whether a name or folder is the shipped network that is used if none is named."""
    return _located(name).resolve() == SHIPPED.resolve()


def is_pair(name: str | Path) -> bool:
    """Whether a model is a pair of a PSNR and an adversarial network, see `load_network`."""
    return advised_alpha(name) is not None


def advised_alpha(name: str | Path) -> float | None:
    """The share of the adversarial network that a pair advises, None of what is no pair."""
    try:
        config = json.loads((_located(name) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # what is wrong with it, `load_network` tells
    return config.get("alpha") if isinstance(config, dict) else None


def load_network(
    name: str | Path = SHIPPED,
    *,
    alpha: float | None = None,
    allow_pickle: bool = False,
    device: torch.device | None = None,
) -> RRDBNet:
    """Load a network strictly: every parameter must be in the file, and none besides.

    Args:
        name: Model folder as training writes it, the name of a shipped one, or a file: a public
            checkpoint, see `read_public_checkpoint`.
        alpha: Share of the adversarial network, 0..1, in a folder that holds a pair of networks
            (the PSNR network in `psnr/`); what the folder itself advises if None.
        allow_pickle: Also read a `.pth` file.
        device: Where to put it; a GPU if there is one.

    Returns:
        The network in float32 and evaluation mode.

    Raises:
        ModelFolderError: Folder or files are missing, damaged, or of another model, a pickle
            without `allow_pickle`, or alpha for a single network.
        RequestError: Alpha is out of range.
    """
    path = _located(name)
    if path.is_file():
        if alpha is not None:
            raise _single(path)
        network = read_public_checkpoint(path, allow_pickle=allow_pickle)
    else:
        network = _read_folder(path)
        share = network.config.alpha if alpha is None else alpha
        if network.config.alpha is None and alpha is not None:
            raise _single(path)
        if share is not None:
            network = blend(_read_folder(path / PSNR_FOLDER), network, share)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    return network


def _located(name: str | Path) -> Path:
    """The folder or file of a model; the weights of a folder stand for the folder."""
    path = Path(name)
    if not path.exists():
        return shipped_models().get(str(name), path)
    whole = path.name == WEIGHTS and (path.parent / "config.json").is_file()
    return path.parent if whole else path


def _single(path: Path) -> ModelFolderError:
    return ModelFolderError(
        f"expected a pair of networks for --alpha, got one in {path}; leave --alpha out, or choose "
        "a model folder of a training with an adversarial phase"
    )


def _missing(folder: str | Path, name: str) -> ModelFolderError:
    return ModelFolderError(
        f"expected a super-resolution model in {folder}, found no {name}; "
        "train one with 'landcast train sr' or reinstall landcast"
    )


def _read_folder(folder: Path) -> RRDBNet:
    for name in ("config.json", WEIGHTS):
        if not (folder / name).is_file():
            raise _missing(folder, name)
    try:
        config = RRDBNet.load_config(folder)
        if not isinstance(config, dict):
            raise TypeError("config.json is no table")
        if config.get("_class_name", "RRDBNet") != "RRDBNet":
            raise ValueError(f"config.json describes a {config['_class_name']}")
        check_parameters(lambda: RRDBNet.from_config(config), folder / WEIGHTS)
        network: RRDBNet = RRDBNet.from_config(config)
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as err:
        raise ModelFolderError(
            f"expected the weights and config of an RRDBNet in {folder}, got: {err}; "
            "train or download the model again"
        ) from err
    return network


def network_sha256(folder: str | Path = SHIPPED) -> str:
    """Hexadecimal SHA-256 of a model folder's weights; of a pair, of both and their alpha.

    Raises:
        ModelFolderError: The folder has none.
    """
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise _missing(folder, WEIGHTS)
    alpha = RRDBNet.load_config(Path(folder)).get("alpha")
    if alpha is None:
        return sha256(path)
    pair = f"{sha256(path)} {sha256(Path(folder) / PSNR_FOLDER / WEIGHTS)} {alpha}"
    return hashlib.sha256(pair.encode()).hexdigest()
