"""Scores of single restored tiles: a value and how much it counts, so that means can be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from kornia.metrics import ssim
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from preprocessing.quality.features import FeatureSpace
from preprocessing.quality.scores import ScoreInfo
from sr.evaluation.correctness import correctness
from sr.network.texture_features import TextureFeatures
from sr.training.degradations import area_downsample
from sr.upscale.fidelity import gradient_ratio

__all__ = ["SCORES", "TileScore", "TileScores", "radial_log_power", "score_tiles"]

Array = NDArray[np.float64]

_SCALE = 4
_BORDER_PX = 4
_LEVELS = 255.0
_SSIM_PX = 11
_ROUNDING_POWER = (1 / 255) ** 2 / 12
"""Power of the rounding of a picture to bytes, range 0..1: white noise of that variance."""


@dataclass(frozen=True)
class TileScore(ScoreInfo):
    """How tiles become one score, and how it is shown.

    Attributes:
        digits: Decimals shown.
        over: `mean` of the tiles by their weight, `decibel` of such a mean of square errors, or
            `worst`, the largest.
    """

    digits: int = 2
    over: Literal["mean", "decibel", "worst"] = "mean"


SCORES: dict[str, TileScore] = {
    "psnr_db": TileScore("PSNR, dB", "higher"),
    "ssim": TileScore("SSIM", "higher", digits=3),
    "perceptual": TileScore("perceptual distance", digits=4),
    "texture": TileScore("texture distance", digits=3),
    "spectral_distance_db": TileScore("spectral distance, dB"),
    "fine_texture_db": TileScore("fine texture, dB", "neither"),
    "sharpness": TileScore("sharpness", "neither"),
    "consistency": TileScore("consistency, grey levels", factor=_LEVELS),
    "consistency_worst": TileScore("consistency, worst", over="worst", factor=_LEVELS),
    "spectral_angle_deg": TileScore("consistency, angle, degrees"),
    "improvement": TileScore("improvement", "higher", digits=3),
    "omission": TileScore("omission", digits=3),
    "hallucination": TileScore("hallucination", digits=3),
    "psnr_changed_db": TileScore("PSNR changed, dB", "higher", over="decibel"),
    "ssim_changed": TileScore("SSIM changed", "higher", digits=3),
    "perceptual_changed": TileScore("perceptual changed", digits=4),
    "psnr_unchanged_db": TileScore("PSNR unchanged, dB", "higher", over="decibel"),
    "ssim_unchanged": TileScore("SSIM unchanged", "higher", digits=3),
    "perceptual_unchanged": TileScore("perceptual unchanged", digits=4),
}


@dataclass(frozen=True)
class TileScores:
    """Scores of `b` tiles restored in one way.

    Attributes:
        values: `(b,)` by name; square errors where the score is in decibels of a mean of them,
            any number where the weight is 0.
        weights: `(b,)` by name: how much the tile counts, 1 or its pixels of the class.
        power_db: `(b, n / 2)` log power by cycles a tile.
        truth_power_db: The same of the truth.
    """

    values: Mapping[str, Array]
    weights: Mapping[str, Array]
    power_db: Array
    truth_power_db: Array


@torch.inference_mode()
def score_tiles(
    estimate: Tensor,
    truth: Tensor,
    low: Tensor,
    changed: Tensor,
    space: FeatureSpace,
    texture: TextureFeatures,
) -> TileScores:
    """Score restored tiles.

    PSNR, SSIM (Wang et al. 2004, Gaussian window of 11 px, range 1), perceptual and texture
    distance and correctness leave out 4 pixels at the edge, where the input ends. The classes
    `changed` and `unchanged` are pooled over pixels, everything else is a mean over tiles.

    * `texture`: distance of the features that the adversarial networks are trained by.
    * `spectral_distance_db`: root mean square over rings of the difference of the log powers.
    * `fine_texture_db`: estimate minus truth over the upper half of the frequencies.
    * `sharpness`: gradient energy over the truth's.
    * `consistency`: mean absolute difference of the 4x4 means and `low` (reflectance distance of
      opensr-test); `consistency_worst` the largest; `spectral_angle_deg` the angle of their bands.
    * `improvement`, `omission`, `hallucination`: see `sr.evaluation.correctness`.

    Args:
        estimate: `(b, 3, n, n)` float32, 0..1.
        truth: Like `estimate`.
        low: `(b, 3, n/4, n/4)`, what was restored.
        changed: `(b, n/4, n/4)` bool, where the ground changed.
        space: Of the perceptual distance.
        texture: Of the texture distance.
    """
    inner = torch.zeros_like(truth[:, :1])
    inner[..., _BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX] = 1
    moved = functional.interpolate(changed[:, None].float(), scale_factor=float(_SCALE)) * inner
    masks = {"": inner, "_changed": moved, "_unchanged": inner - moved}
    error = (estimate - truth).square().mean(dim=1, keepdim=True)
    likeness = ssim(estimate, truth, _SSIM_PX).mean(dim=1, keepdim=True)
    ours, theirs = space.unit(estimate), space.unit(truth)
    values: dict[str, Array] = {}
    weights: dict[str, Array] = {}
    for suffix, mask in masks.items():
        square = _numbers(_mean(error, mask))
        values[f"psnr{suffix}_db"] = square if suffix else -10 * np.log10(square.clip(1e-10))
        values[f"ssim{suffix}"] = _numbers(_mean(likeness, mask))
        values[f"perceptual{suffix}"] = _numbers(space.distance(ours, theirs, mask))
        pixels = _numbers(mask.sum(dim=(1, 2, 3)))
        for name in (f"psnr{suffix}_db", f"ssim{suffix}", f"perceptual{suffix}"):
            weights[name] = pixels if suffix else np.ones_like(pixels)
    power, truth_power = (radial_log_power(x, floor=_ROUNDING_POWER) for x in (estimate, truth))
    excess = power - truth_power
    again = area_downsample(estimate, _SCALE)
    missing = (again - low).abs().double()
    shares = correctness(estimate, truth, low)
    found = {
        "texture": texture.distances(_inner(truth), _inner(estimate)),
        "spectral_distance_db": excess.square().mean(dim=1).sqrt(),
        "fine_texture_db": excess[:, excess.shape[1] // 2 :].mean(dim=1),
        "sharpness": gradient_ratio(estimate, truth),
        "consistency": missing.mean(dim=(1, 2, 3)),
        "consistency_worst": missing.amax(dim=(1, 2, 3)),
        "spectral_angle_deg": _angle_deg(again, low),
        **{
            name: _inside(getattr(shares, name)).nanmean(dim=(1, 2))
            for name in ("improvement", "omission", "hallucination")
        },
    }
    for name, value in found.items():
        values[name] = _numbers(value)
        weights[name] = np.isfinite(values[name]).astype(float)
    return TileScores(values, weights, _numbers(power), _numbers(truth_power))


def _mean(field: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean over the pixels of `(b, 1, h, w)`; NaN where none counts."""
    total = (field.double() * weight).sum(dim=(1, 2, 3))
    return total / weight.double().sum(dim=(1, 2, 3))


def _inner(image: Tensor) -> Tensor:
    return image[..., _BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX]


def _inside(field: Tensor) -> Tensor:
    return field[:, _BORDER_PX:-_BORDER_PX, _BORDER_PX:-_BORDER_PX].double()


def _angle_deg(x: Tensor, y: Tensor) -> Tensor:
    """Mean angle of band vectors (Kruse et al. 1993); black has none and counts as equal."""
    x, y = x.double(), y.double()
    # The half-angle form stays exact for small angles, where the arc cosine does not.
    x = x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
    y = y / y.norm(dim=1, keepdim=True).clamp_min(1e-12)
    half = torch.atan2((x - y).norm(dim=1), (x + y).norm(dim=1).clamp_min(1e-12))
    return torch.rad2deg(2 * half).mean(dim=(1, 2))


def _numbers(values: Tensor) -> Array:
    return np.asarray(values.double().cpu().numpy())


def radial_log_power(field: Tensor, *, floor: float = 0.0) -> Tensor:
    """Radially averaged power spectrum in decibels.

    Mean removed, Hann window, mean over bands and over rings one cycle wide. White noise of
    variance v has the power v in every ring, whatever the window.

    Args:
        field: `(..., c, n, n)`, n even.
        floor: Power below which there is nothing to be compared; added to the power.

    Returns:
        `(..., n / 2)`: rings of 1 to n / 2 cycles a tile.
    """
    size = field.shape[-1]
    window = torch.hann_window(size, periodic=False, dtype=torch.float64)
    taper = window[:, None] * window
    field = field.double()
    field = (field - field.mean(dim=(-2, -1), keepdim=True)) * taper
    power = torch.fft.fft2(field).abs().square().mean(dim=-3) / taper.square().sum()
    cycles = torch.fft.fftfreq(size, 1 / size)
    ring = (cycles[:, None].square() + cycles.square()).sqrt().round().long()
    rings = functional.one_hot(ring.flatten(), int(ring.max()) + 1).double()
    mean = (power.flatten(-2) @ rings / rings.sum(dim=0))[..., 1 : size // 2 + 1]
    return 10 * torch.log10(mean + floor)
