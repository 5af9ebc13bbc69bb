"""What is known of a cell at the start of a forecast, in numbers that carry over in time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from forecast.colours import WhitenedColours
from forecast.hindcast.past import Past
from forecast.network.conditions import Tone, conditions
from forecast.region.windows import grown, within
from preprocessing.rasters.window import Window

__all__ = ["block_features", "cell_features"]

_SCALES = (1.5, 3.0, 6.0)
_WIDEST, _NEAR = 5.0, 9
_HALO = 24
"""Cells around a cell that its features depend on."""


def cell_features(past: Past, tone: Tone, colours: WhitenedColours) -> NDArray[np.float32]:
    """The conditions of the network, and the same looked at more widely.

    Beside `conditions`: the size of the change since some three and some eight years ago, smoothed
    at three scales, the largest nearby; texture as it is and widely smoothed; brightness, how
    far the bands differ, and the colours.

    Args:
        past: The last of its dates is described.
        tone: Of the whole region at that date.
        colours: Likewise.

    Returns:
        `(f, h, w)`.
    """
    now = torch.from_numpy(np.ascontiguousarray(past.cells[-1:]))
    channels = conditions(now, past.earlier(), tone)[0].numpy()
    contrast = float(tone.contrast[0])
    some, many = (np.abs(channels[part]).mean(axis=0) for part in (slice(0, 3), slice(3, 6)))
    grey = (past.cells[-1].mean(axis=0) - float(tone.mean.mean())) / contrast
    texture = np.abs(np.stack(np.gradient(grey))).sum(axis=0)
    wider = [gaussian_filter(size, scale) for scale in _SCALES for size in (some, many)]
    wider += [
        maximum_filter(gaussian_filter(some, 1.0), _NEAR),
        texture,
        gaussian_filter(texture, _WIDEST),
        grey,
        gaussian_filter(grey, 2.0),
        past.cells[-1].std(axis=0) / contrast,
    ]
    white = colours.whitened(past.cells[-1]).transpose(2, 0, 1)
    return np.concatenate([channels, np.stack(wider), white]).astype(np.float32)


def block_features(
    past: Past, window: Window, tone: Tone, colours: WhitenedColours
) -> NDArray[np.float32]:
    """`cell_features` of a block of the region."""
    around = grown(window, _HALO, *past.shape)
    found = cell_features(past.block(around.slices), tone, colours)
    return found[(slice(None), *within(window, around).slices)]
