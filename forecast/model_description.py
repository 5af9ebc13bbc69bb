"""A model in the words of the Machine Learning Model extension of STAC."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from forecast.network.conditions import CONDITIONS
from forecast.network.patches import FACTOR, TILE_PX
from forecast.network.unet import ANSWERS, NOISE_CHANNELS, PATCH_CHANNELS
from preprocessing.running.files import sha256
from preprocessing.running.pretrained import WEIGHTS

__all__ = ["MLM_EXTENSION", "mlm_properties", "mlm_weights"]

MLM_EXTENSION = "https://stac-extensions.github.io/mlm/v1.5.1/schema.json"
_COLOURS = ("red", "green", "blue")
_SIDE = TILE_PX // FACTOR
_PLANES = ("batch", "channel", "height", "width")
_LICENSE = re.compile(r"\A---\n(?:.*\n)*?license: *(\S+)\n(?:.*\n)*?---\n")
_TASKS = {"change": "regression", "drawn": "regression", "look": "generative"}


def mlm_properties(folder: Path) -> dict[str, Any]:
    """Properties of a STAC item that describes a model folder.

    Args:
        folder: With configuration, weights and, if its licence is to be told, model card.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values = {name: value for name, value in config.items() if not name.startswith("_")}
    seen = PATCH_CHANNELS + CONDITIONS
    inputs = [
        ("noise", (), (NOISE_CHANNELS, _SIDE, _SIDE)),
        ("condition", _COLOURS, (seen, _SIDE, _SIDE)),
        ("tone mean", _COLOURS, (len(_COLOURS),)),
        ("tone contrast", (), ()),
        ("years", (), ()),
        ("gsd_m", (), ()),
        ("regional", (), (values["regional_noise"],)),
    ]
    return {
        "license": _license(folder),
        "mlm:name": re.sub(r"[^A-Za-z0-9_.-]+", "-", f"landcast-{folder.name}").rstrip("._-"),
        "mlm:architecture": "U-Net",
        "mlm:framework": "PyTorch",
        "mlm:framework_version": torch.__version__,
        "mlm:tasks": sorted(set(_TASKS.values())),
        "mlm:total_parameters": _parameters(folder / WEIGHTS),
        "mlm:hyperparameters": values,
        "mlm:input": [
            {"name": name, "bands": list(bands), "input": _structure(shape)}
            for name, bands, shape in inputs
        ],
        "mlm:output": [
            {
                "name": name,
                "tasks": [_TASKS[name]],
                "result": _structure((channels, _SIDE, _SIDE)),
            }
            for name, channels in ANSWERS.items()
        ],
    }


def mlm_weights(folder: Path) -> dict[str, Any]:
    """The asset of the weights of a model folder, named by what they hold (RFC 6920).

    STAC 1.1 describes the bands that inputs name in assets alone.
    """
    digest = bytes.fromhex(sha256(folder / WEIGHTS))
    named = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return {
        "href": f"ni:///sha-256;{named}",
        "title": f"Weights of the model {folder.name}",
        "type": "application/octet-stream; framework=safetensors",
        "roles": ["mlm:model", "mlm:weights"],
        "bands": [{"name": colour} for colour in _COLOURS],
        "mlm:artifact_type": "safetensors.torch.save_file",
    }


def _structure(shape: tuple[int, ...]) -> dict[str, Any]:
    """Of a batch."""
    order = _PLANES[: 1 + len(shape)]
    return {"shape": [-1, *shape], "dim_order": list(order), "data_type": "float32"}


def _parameters(weights: Path) -> int:
    with safe_open(weights, framework="numpy") as stored:
        return sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118


def _license(folder: Path) -> str:
    """What the model card states."""
    card = folder / "README.md"
    stated = _LICENSE.match(card.read_text(encoding="utf-8")) if card.is_file() else None
    return "other" if stated is None else stated[1]
