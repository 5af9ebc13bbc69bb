"""What `landcast compare` is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.rasters.image_source import Reading
from sr.training.degradations import Degradation

__all__ = ["QUALITIES", "SCALE", "ComparisonRequest", "Level", "level_name"]

SCALE = 4
LEAST_PX, MOST_PX = 64, 2048

Level = int | None
"""Quality of the JPEG that a degraded image is stored as, or None for none."""

QUALITIES: tuple[Level, ...] = (5, 10, 30, 50, 70, None)


@dataclass(frozen=True)
class ComparisonRequest:
    """A study of restoration methods.

    Attributes:
        images: Files or folders that are degraded, restored and scored.
        out: Folder for the results.
        fit: Files or folders the 3D lookup table is fitted on; where empty, for each image the
            others of `images`.
        models: Shipped names, folders or checkpoints of super-resolution networks; all shipped ones
            if empty.
        allow_pickle: Also read networks from `.pth` files.
        alpha: Of models that are pairs, also score the network with this share of the adversarial
            one, between 0 and 1; those ends are scored anyway.
        levels: JPEG qualities of 5 to 95, None for no JPEG, each once.
        noise: Standard deviation of the Gaussian noise, in units of the value range.
        blur_px: Sigma of the blur before sampling, in pixels of the original, 0..1.2.
        crop_px: The middle of larger images is taken, at most this side.
        seed: Of noise, bootstrap and examples.
        save_degraded: Folder to keep originals and degraded images in, if any.
        reading: How to understand the files.
        perceptual_weights: Weights of VGG16 for the perceptual distance; a stand-in where None.
        overwrite: Replace an earlier comparison.

    Raises:
        RequestError: A value is out of range.
    """

    images: tuple[str, ...]
    out: Path
    fit: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    allow_pickle: bool = False
    alpha: float | None = None
    levels: tuple[Level, ...] = QUALITIES
    noise: float = 0.02
    blur_px: float = 0.0
    crop_px: int = 512
    seed: int = 0
    save_degraded: Path | None = None
    reading: Reading = field(default_factory=Reading)
    perceptual_weights: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.images:
            raise RequestError("expected at least one image to compare on, got none")
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise RequestError(f"expected JPEG qualities, each once, got {self.levels}")
        if not LEAST_PX <= self.crop_px <= MOST_PX:
            raise RequestError(
                f"expected --crop of {LEAST_PX} to {MOST_PX} pixels, got {self.crop_px}"
            )
        if self.alpha is not None and not 0 < self.alpha < 1:
            raise RequestError(
                f"expected --alpha between 0 and 1, got {self.alpha}; the networks at 0 and 1 are "
                "scored anyway"
            )
        kept = self.save_degraded
        if kept is not None and (
            kept.resolve() == self.out.resolve()
            or kept.resolve().is_relative_to(self.out.resolve())
            or self.out.resolve().is_relative_to(kept.resolve())
        ):
            raise RequestError(
                f"expected folders beside each other for --out and --save-degraded, got {self.out} "
                f"and {kept}"
            )
        try:
            for level in self.levels:
                self.degradation(level)
        except ValueError as err:
            raise RequestError(str(err)) from err

    def degradation(self, level: Level) -> Degradation:
        """The sensor and storage that make a low-resolution image."""
        return Degradation(
            blur_px=self.blur_px,
            least_blur_px=self.blur_px,
            noise=self.noise,
            least_noise=self.noise,
            scale=SCALE,
            jpeg_share=0.0 if level is None else 1.0,
            jpeg_quality=(5, 95) if level is None else (level, level),
        )


def level_name(level: Level) -> str:
    """What a level is called in tables."""
    return "no JPEG" if level is None else f"JPEG {level}"
