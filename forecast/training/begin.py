"""The network a training run begins with: random weights, or those of a parent."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.nn import functional as F

from forecast.history import CHANNELS
from forecast.patches import TILE_PX
from forecast.pretrained import load_model
from forecast.training.config import TrainingConfig
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.errors import ModelFolderError

__all__ = ["first_model"]

_FIRST_LAYER = "unet.conv_in.weight"
_KEPT = (
    "block_out_channels",
    "layers_per_block",
    "attention_levels",
    "patch_layout",
    "output_size",
    "part_scale",
    "regional_noise",
)


def first_model(
    config: TrainingConfig, data: PairData, init: str | Path | None = None
) -> ForecastUNet:
    """Build the network of a recipe.

    Args:
        config: The recipe.
        data: The training pairs: their spread, horizons and resolutions are written into the model.
        init: Start from the weights of this model (shipped name or folder); its target scale is
            kept. It may know no resolutions and fewer earlier dates; those layers and channels
            start as saying nothing.

    Raises:
        ModelFolderError: The parent has another architecture, or knows what the recipe drops.
    """
    model = config.build(
        target_scale=data.target_scale(factor=TILE_PX // config.output_size),
        horizon_years=data.horizon_years,
        gsd_m=data.gsd_m,
    )
    if init is None:
        return model
    parent = load_model(init, device=torch.device("cpu"))
    for key in _KEPT:
        ours, theirs = model.config[key], parent.config[key]
        if json.dumps(ours) != json.dumps(theirs):
            raise ModelFolderError(
                f"expected the model {init} to have {key} = {ours} as the recipe says, got {theirs}"
            )
    more = model.config.history - parent.config.history
    if more < 0:
        raise ModelFolderError(
            f"expected a recipe with history of at least {parent.config.history}, as the model "
            f"{init} has, got {model.config.history}; set history"
        )
    model.register_to_config(target_scale=parent.config.target_scale)
    weights = model.state_dict()
    for name, known in parent.state_dict().items():
        if name not in weights:
            raise ModelFolderError(
                f"expected a recipe that keeps what the model {init} has, it drops {name}; set "
                "resolution_condition = true"
            )
        if name == _FIRST_LAYER:  # The channels of earlier dates are the last ones.
            known = F.pad(known, (0, 0, 0, 0, 0, CHANNELS * more))
        weights[name].copy_(known)
    return model
