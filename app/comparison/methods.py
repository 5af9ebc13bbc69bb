"""The methods of a study: each makes an image four times as large from the same degraded one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from app.comparison.images import Image
from app.comparison.request import SCALE
from preprocessing.errors import RequestError
from sr.enhance import (
    Lut3D,
    adjust_hsv,
    brightness_contrast,
    clahe,
    median,
    noise_sigma,
    non_local_means,
    sharpen,
)
from sr.network.inference import upscale_batch
from sr.network.pretrained import is_pair, is_shipped, load_network, shipped_models
from sr.network.rrdb import RRDBNet, bicubic_upsample

__all__ = ["BASELINE", "LUT", "Method", "bicubic", "classical_methods", "lut_method", "networks"]

BASELINE = "bicubic"
LUT = "3D LUT"
_AFTER = "after bicubic x4"
_WARM_UP_PX = 16


@dataclass(frozen=True)
class Method:
    """A way to restore an image.

    Attributes:
        name: In tables.
        stage: Where it acts: it enlarges by itself, or comes before or after what does.
        run: `(h, w, 3)` float32 in 0..1 to `(4h, 4w, 3)`, the same.
        retones: Changes brightness or colour on purpose: a score against the original says how
            much, not how well.
    """

    name: str
    stage: str
    run: Callable[[Image], Image]
    retones: bool = False


def bicubic(low: Image) -> Image:
    """Enlarge by four with Keys' kernel, a = -0.5."""
    batch = torch.from_numpy(low).permute(2, 0, 1)[None]
    return _as_image(bicubic_upsample(batch, SCALE))


def classical_methods() -> list[Method]:
    """All that need neither weights nor a fit, with the settings of the usual tutorials."""

    def then(enhance: Callable[[Image], Image]) -> Callable[[Image], Image]:
        return lambda low: enhance(bicubic(low))

    return [
        Method(BASELINE, "enlarges", bicubic),
        Method("Lanczos", "enlarges", _lanczos),
        Method("sharpening kernel", _AFTER, then(sharpen)),
        Method("median, 5 px", _AFTER, then(lambda image: median(image, size_px=5))),
        Method("non-local means", _AFTER, _denoised_after),
        Method(
            "non-local means first", "before bicubic x4", lambda low: bicubic(non_local_means(low))
        ),
        Method("CLAHE", _AFTER, then(clahe), retones=True),
        Method("brightness and contrast", _AFTER, then(brightness_contrast), retones=True),
        Method("HSV adjustment", _AFTER, then(adjust_hsv), retones=True),
    ]


def lut_method(lut: Lut3D) -> Method:
    """A fitted table."""
    return Method(LUT, _AFTER, lambda low: lut.apply(bicubic(low)))


def networks(
    names: Sequence[str], *, alpha: float | None = None, allow_pickle: bool = False
) -> list[Method]:
    """Networks, each with the image as it comes and with the noise removed before.

    A model that is a pair of networks is both of them, see `load_network`.

    Args:
        names: Shipped names, model folders or checkpoints; all shipped ones if empty.
        alpha: Share of the adversarial network of one more network of each pair.
        allow_pickle: Also read `.pth` files.

    Raises:
        ModelFolderError: See `load_network`.
        RequestError: A network does not enlarge by four, two have one name, or alpha is given and
            no model is a pair.
    """
    chosen = names or tuple(shipped_models())
    if alpha is not None and not any(map(is_pair, chosen)):
        raise RequestError(
            f"expected a model that is a pair of networks for --alpha, got {', '.join(chosen)}; "
            "leave --alpha out, or name a model of a training with an adversarial phase"
        )
    methods: list[Method] = []
    for name in chosen:
        for short, share in _shares(name, alpha):
            network = load_network(name, alpha=share, allow_pickle=allow_pickle)
            if network.scale != SCALE:
                raise RequestError(
                    f"expected networks that enlarge by {SCALE}, {name} does by {network.scale}"
                )
            if short in {method.name for method in methods}:
                raise RequestError(f"expected models of different names, got {short} twice")
            methods += _of_network(short, network)
    return methods


def _shares(name: str, alpha: float | None) -> list[tuple[str, float | None]]:
    """Names of the networks of a model, and each one's share of the adversarial network."""
    short = Path(name).name
    if not is_pair(name):
        return [(short, None)]
    short = "landcast" if is_shipped(name) else short
    ends: list[tuple[str, float | None]] = [(f"{short} PSNR", 0.0), (f"{short} GAN", 1.0)]
    return ends if alpha is None else [*ends, (f"{short} alpha {alpha:g}", alpha)]


def _of_network(name: str, network: RRDBNet) -> list[Method]:
    def run(low: Image) -> Image:
        batch = torch.from_numpy(low).permute(2, 0, 1)[None]
        return _as_image(upscale_batch(network, batch))

    # The first pass of a network prepares kernels, which is not its speed.
    run(np.zeros((_WARM_UP_PX, _WARM_UP_PX, 3), np.float32))
    return [
        Method(name, "enlarges", run),
        Method(
            f"non-local means, {name}",
            f"before {name}",
            lambda low: run(non_local_means(low)),
        ),
    ]


def _denoised_after(low: Image) -> Image:
    # Enlarged noise is smooth and looks like none: it is measured before.
    return non_local_means(bicubic(low), sigma=noise_sigma(low))


def _lanczos(low: Image) -> Image:
    size = (SCALE * low.shape[1], SCALE * low.shape[0])
    return np.asarray(cv2.resize(low, size, interpolation=cv2.INTER_LANCZOS4).clip(0, 1))


def _as_image(batch: torch.Tensor) -> Image:
    return np.ascontiguousarray(batch[0].clamp(0, 1).permute(1, 2, 0).numpy())
