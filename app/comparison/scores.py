"""Scores of a restored image against the original."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from skimage.metrics import structural_similarity

from app.comparison.images import Image
from preprocessing.quality.scores import ScoreInfo

__all__ = ["METRICS", "score"]

_BORDER_PX = 4
_LEAST_MSE = 1e-10


METRICS = {
    "ssim": ScoreInfo("SSIM", "higher"),
    "psnr_db": ScoreInfo("PSNR, dB", "higher", digits=2),
    "mse": ScoreInfo("MSE", digits=5),
    "distance": ScoreInfo("perceptual distance"),
}
"""Columns of the tables, by their name in files."""


def score(
    restored: Image, original: Image, distance: Callable[..., torch.Tensor]
) -> dict[str, float]:
    """All metrics, 4 pixels off the edges.

    SSIM as published (Wang et al. 2004: Gaussian window, sigma 1.5, range 1), mean over bands;
    PSNR from the squared error over all bands, at most 100 dB.

    Args:
        restored: `(h, w, 3)`, 0..1.
        original: The same.
        distance: `FeatureDistance.between`.
    """
    inner = slice(_BORDER_PX, -_BORDER_PX)
    ours, truth = restored[inner, inner], original[inner, inner]
    mse = float(np.square(ours.astype(np.float64) - truth).mean())
    ssim = structural_similarity(  # type: ignore[no-untyped-call]
        truth,
        ours,
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    batches = (
        torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None] for x in (ours, truth)
    )
    return {
        "ssim": float(ssim),
        "psnr_db": float(-10 * np.log10(max(mse, _LEAST_MSE))),
        "mse": mse,
        "distance": float(distance(*batches)),
    }
