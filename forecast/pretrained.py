"""Model folders: the one that ships, or any other, loaded strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from preprocessing.errors import ModelFolderError
from preprocessing.running.files import sha256
from preprocessing.running.pretrained import WEIGHTS, read_pretrained

if TYPE_CHECKING:
    from forecast.network.unet import ChangeUNet

__all__ = [
    "DEFAULT_MODEL",
    "load_model",
    "model_folder",
    "weights_sha256",
]

DEFAULT_MODEL = "base"
_SHIPPED = Path(__file__).parent / "weights"
_CONFIG, _CLASS = "config.json", "ChangeUNet"


def model_folder(name: str | Path | None = None) -> Path:
    """Folder of a model: a shipped name (`base` where None) or a path.

    Raises:
        ModelFolderError: No such folder, it lacks its configuration or weights, or it holds
            another kind of model.
    """
    local = None if name is None else Path(name)
    folder = local if local and local.is_dir() else _SHIPPED / str(name or DEFAULT_MODEL)
    if not folder.is_dir():
        known = ", ".join(sorted(p.name for p in _SHIPPED.glob("*") if p.is_dir())) or "none"
        raise ModelFolderError(
            f"expected a model folder or a shipped model ({known}), "
            f"found nothing at {name or folder}"
        )
    missing = [file for file in (_CONFIG, WEIGHTS) if not (folder / file).is_file()]
    if missing:
        raise ModelFolderError(
            f"expected {_CONFIG} and {WEIGHTS} in the model folder {folder}, "
            f"missing {' and '.join(missing)}; train or export the model again"
        )
    _check_class(folder / _CONFIG)
    return folder


def _check_class(path: Path) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["_class_name"]
    except (ValueError, KeyError, TypeError) as err:
        raise ModelFolderError(
            f"expected the configuration of a landcast forecaster in {path}, it is another or "
            f"damaged ({err}); train or export the model again"
        ) from err
    if found != _CLASS:
        raise ModelFolderError(
            f"expected a forecaster of the class {_CLASS} in {path.parent}, got one "
            f"of the class {found}, which landcast no longer runs; train the model again"
        )


def load_model(name: str | Path | None = None, *, device: torch.device | None = None) -> ChangeUNet:
    """Load a model for forecasting, in float32 and evaluation mode.

    Args:
        name: Shipped name or folder; the default model where None.
        device: Where to put it; a GPU if there is one.

    Raises:
        ModelFolderError: The folder is incomplete or its weights do not fit.
    """
    # diffusers takes seconds to load: those who need no network yet do not wait for it.
    from forecast.network.unet import ChangeUNet

    folder = model_folder(name)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model: ChangeUNet = read_pretrained(
        ChangeUNet,
        folder,
        expected="the weights of a landcast forecaster",
        advice="train or export the model again",
    )
    model.to(device, memory_format=torch.channels_last)
    model.eval()
    return model


def weights_sha256(name: str | Path | None = None) -> str:
    """Hexadecimal SHA-256 of a model folder's weights."""
    return sha256(model_folder(name) / WEIGHTS)
