"""From high to low resolution as a sensor would: blur, 4x area sampling, noise, JPEG; seeded."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

__all__ = ["Degradation", "area_downsample", "gaussian_blur", "jpeg"]

_BLUR_RADIUS_PX = 3


def area_downsample(image: Tensor, scale: int) -> Tensor:
    """Block means: `(b, c, scale*h, scale*w)` to `(b, c, h, w)`."""
    return functional.avg_pool2d(image, scale)


def gaussian_blur(image: Tensor, sigma_px: Tensor) -> Tensor:
    """Blur each image of `(b, c, h, w)` by its own sigma `(b,)` in pixels, edges replicated.

    Kernels reach 3 pixels, enough for sigmas up to 1.2; a sigma of 0 leaves the image as it is.
    """
    batch, channels, height, width = image.shape
    offsets = torch.arange(-_BLUR_RADIUS_PX, _BLUR_RADIUS_PX + 1, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma_px.clamp_min(1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    flat = image.reshape(1, batch * channels, height, width)
    flat = functional.pad(flat, (_BLUR_RADIUS_PX,) * 4, mode="replicate")
    groups = batch * channels
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=groups)
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=groups)
    return flat.reshape(image.shape)


@dataclass(frozen=True)
class Degradation:
    """A random sensor, drawn per image from ranges; with the defaults of 0, plain area sampling.

    Attributes:
        blur_px: Largest sigma of the optical blur, in high-resolution pixels, 0..1.2.
        noise: Largest standard deviation of the read-out noise, in value units of 0..1.
        antialias_share: Share of images sampled by an antialiased cubic kernel, not by area.
        scale: Pixels of the high resolution per pixel of the low one.
        jpeg_share: Share of images stored as JPEG at the end, which also rounds to 8 bits.
        jpeg_quality: Lowest and highest quality of these, within 5..95.
        least_blur_px: Smallest sigma of the blur; equal to `blur_px`, all have the same.
        least_noise: Smallest standard deviation of the noise, likewise.
    """

    blur_px: float = 0.0
    noise: float = 0.0
    antialias_share: float = 0.0
    scale: int = 4
    jpeg_share: float = 0.0
    jpeg_quality: tuple[int, int] = (5, 95)
    least_blur_px: float = 0.0
    least_noise: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.blur_px <= 1.2 and 0 <= self.noise <= 1 and self.scale >= 1):
            raise ValueError(f"expected 0 <= blur_px <= 1.2 and 0 <= noise <= 1, got {self}")
        if not (0 <= self.least_blur_px <= self.blur_px and 0 <= self.least_noise <= self.noise):
            raise ValueError(f"expected least values of 0 up to the largest, got {self}")
        for share in (self.antialias_share, self.jpeg_share):
            if not 0 <= share <= 1:
                raise ValueError(f"expected a share of 0..1, got {share}")
        if (
            len(self.jpeg_quality) != 2
            or not 5 <= self.jpeg_quality[0] <= self.jpeg_quality[1] <= 95
        ):
            raise ValueError(
                f"expected a lowest and highest JPEG quality of 5 to 95, got {self.jpeg_quality}"
            )

    def __call__(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade a batch.

        Args:
            image: `(b, c, scale*h, scale*w)` float32, 0..1; three channels where JPEG is asked for.
            generator: Source of all randomness; the same state gives the same result.

        Returns:
            `(b, c, h, w)` float32, 0..1.
        """
        draws = torch.rand(3, len(image), generator=generator).to(image.device)
        sigma_px = self.least_blur_px + draws[0] * (self.blur_px - self.least_blur_px)
        blurred = gaussian_blur(image, sigma_px) if self.blur_px > 0 else image
        low = area_downsample(blurred, self.scale)
        if self.antialias_share > 0:
            cubic = functional.interpolate(
                blurred, size=low.shape[-2:], mode="bicubic", align_corners=False, antialias=True
            )
            low = torch.where((draws[1] < self.antialias_share)[:, None, None, None], cubic, low)
        if self.noise > 0:
            white = torch.randn(low.shape, generator=generator).to(image.device)
            strength = self.least_noise + draws[2] * (self.noise - self.least_noise)
            low = low + white * strength[:, None, None, None]
        low = low.clamp(0, 1)
        # Drawn last and only if used: the other options give the same images with JPEG off.
        return self._compressed(low, generator) if self.jpeg_share > 0 else low

    def _compressed(self, image: Tensor, generator: torch.Generator) -> Tensor:
        stored = torch.rand(len(image), generator=generator) < self.jpeg_share
        lowest, highest = self.jpeg_quality
        quality = torch.randint(lowest, highest + 1, (len(image),), generator=generator)
        result = image.clone()
        for index in torch.nonzero(stored)[:, 0].tolist():
            pixels = (image[index] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            read = jpeg(pixels, quality=int(quality[index]))
            result[index] = torch.from_numpy(read.transpose(2, 0, 1).astype(np.float32)) / 255
        return result


def jpeg(image: NDArray[np.uint8], *, quality: int) -> NDArray[np.uint8]:
    """Compress `(h, w, 3)` uint8 as baseline JPEG of `quality` 1..95 and read it back."""
    if not 1 <= quality <= 95:
        raise ValueError(f"expected a JPEG quality of 1 to 95, got {quality}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        return np.asarray(decoded.convert("RGB"))
