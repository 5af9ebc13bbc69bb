"""Small made places to train on."""

from __future__ import annotations

import numpy as np

from forecast.training.place_tensors import UNKNOWN, GroundPlace


def made_place(
    name: str = "here", *, dates: int = 5, height: int = 160, width: int = 144, seed: int = 0
) -> GroundPlace:
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 200, (3, height // 8, width // 8)).repeat(8, 1).repeat(8, 2)
    images = np.stack([base + rng.integers(-5, 6, base.shape) for _ in range(dates)])
    built = dates // 2 + 1
    images[built:, :, 40:80, 40:80] = 230
    labels = {}
    for i in range(1, dates - 1):
        for j in range(i + 1, dates):
            label = np.zeros((height // 4, width // 4), np.uint8)
            if i < built <= j:
                label[10:20, 10:20] = 254
            label[-2:] = UNKNOWN
            labels[i, j] = label
    colours = np.zeros((dates, 3, 4), np.float32)
    colours[:, :, :3] = np.eye(3)
    colours[0, :, :3] *= 0.5
    colours[0, :, 3] = 0.1
    return GroundPlace(
        name,
        "made",
        10.0,
        2000.0 + 2 * np.arange(dates),
        images.astype(np.uint8),
        np.ones((dates, height, width), bool),
        colours,
        labels,
    )
