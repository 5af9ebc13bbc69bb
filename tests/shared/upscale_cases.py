"""Small networks for upscaling, and requests in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from app.upscaling.run import UpscaleRequest
from sr.network.rrdb import RRDBNet
from sr.upscale.bands import UpscaleOptions


def made_network(seed: int = 0) -> RRDBNet:
    torch.manual_seed(seed)
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=8, growth_channels=4, global_skip=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.eval()
    return network


def bicubic_network() -> RRDBNet:
    """An untrained network with a global skip interpolates."""
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=4, growth_channels=4, global_skip=True)
    network.eval()
    return network


def request(source: Path, out: Path, model: str, **how: Any) -> UpscaleRequest:
    """Of the options of a request and of `UpscaleOptions`."""
    given = {key: how.pop(key) for key in ("resume", "overwrite", "ext", "maps") if key in how}
    keep = how.pop("keep_means", None)
    value_range = how.pop("value_range", None)
    options = UpscaleOptions(**how)
    return UpscaleRequest(
        source, out, options, keep_means=keep, model=model, value_range=value_range, **given
    )
