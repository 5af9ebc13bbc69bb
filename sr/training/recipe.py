"""The training recipe of the super-resolution network: a frozen config, read from TOML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from preprocessing.errors import RequestError
from preprocessing.running.config import load_recipe
from sr.network.rrdb import RRDBNet
from sr.training.adversarial import AdversarialRecipe
from sr.training.degradations import Degradation

__all__ = ["DEFAULT_RECIPE", "SRTrainingConfig", "read_recipe"]

DEFAULT_RECIPE = "rrdb16"
_RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class SRTrainingConfig(AdversarialRecipe):
    """Everything that decides the weights, besides the pairs.

    The warm-up comes at the start and after each growth; `gan_learning_rate` is constant. The
    perceptual loss is the distance of VGG19 features, or without `vgg_weights` of those of its
    stand-in. The paper weights it 1 with VGG19, and the pixels 0.01.

    Attributes:
        depths: Blocks of the network in each stage of the PSNR phase, rising; the last is final.
        depth_steps: Optimiser steps of each stage. Shallow steps are cheap and learn the most.
        crop_px: Side of the training crops in low-resolution pixels (a quarter of the high one).
        weight_decay: AdamW's.
        gan_steps: Steps of the adversarial phase after the PSNR phase; 0 leaves it out.
        stand_in: Whose features stand in for VGG19: `texture`, trained on aerial images
            (`sr.network.texture_features`), or `critic`, the discriminator's own.
        vgg_weights: File with torchvision's weights of VGG19, or `download`, see `load_vgg19`;
            empty for none.
        alpha: Share of the adversarial network that the model folder advises (network
            interpolation).
        global_skip: See `RRDBNet`.
        blur_px: See `Degradation`.
        noise: See `Degradation`.
        antialias_share: See `Degradation`.
        jpeg_share: See `Degradation`.
        jpeg_quality: See `Degradation`.
    """

    depths: tuple[int, ...] = (4, 8, 16)
    depth_steps: tuple[int, ...] = (3000, 1500, 2000)
    crop_px: int = 24
    weight_decay: float = 0.0
    gan_steps: int = 500
    stand_in: Literal["texture", "critic"] = "texture"
    vgg_weights: str = ""
    alpha: float = 0.5
    global_skip: bool = True
    blur_px: float = 0.0
    noise: float = 0.0
    antialias_share: float = 0.0
    jpeg_share: float = 0.0
    jpeg_quality: tuple[int, int] = (5, 95)

    def __post_init__(self) -> None:
        problems = self.problems
        if not self.depths or len(self.depths) != len(self.depth_steps):
            problems.append("depths and depth_steps need the same, non-zero length")
        if list(self.depths) != sorted(set(self.depths)) or min(self.depths, default=1) < 1:
            problems.append("depths must rise from at least 1")
        if min(self.depth_steps, default=0) < 1 or self.gan_steps < 0:
            problems.append("steps must be positive")
        if not 4 <= self.crop_px <= 32 or self.crop_px % 2:
            problems.append("crop_px must be even, 4 to 32")
        if not 0 <= self.alpha <= 1:
            problems.append("alpha must lie in 0..1")
        if problems:
            raise RequestError("super-resolution recipe: " + "; ".join(problems))
        self.degradation()

    @property
    def psnr_steps(self) -> int:
        """Steps of the PSNR phase."""
        return sum(self.depth_steps)

    @property
    def total_steps(self) -> int:
        """Steps of both phases."""
        return self.psnr_steps + self.gan_steps

    def depth_at(self, step: int) -> int:
        """Blocks of the network that takes step number `step`, counted from 0."""
        end = 0
        for depth, steps in zip(self.depths, self.depth_steps, strict=True):
            end += steps
            if step < end:
                return depth
        return self.depths[-1]

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of step number `step`: cosine over the PSNR phase, then constant."""
        starts = [0]
        for steps in self.depth_steps:
            starts.append(starts[-1] + steps)
        since = step - max(start for start in starts if start <= step)
        warm = self.warm(since)
        if step >= self.psnr_steps:
            return self.gan_learning_rate * warm
        share = step / self.psnr_steps
        return self.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))

    def degradation(self) -> Degradation:
        """The degradation that makes low-resolution inputs."""
        return Degradation(
            blur_px=self.blur_px,
            noise=self.noise,
            antialias_share=self.antialias_share,
            jpeg_share=self.jpeg_share,
            jpeg_quality=self.jpeg_quality,
        )

    def build(self, num_blocks: int | None = None, *, alpha: float | None = None) -> RRDBNet:
        """The untrained network, of the final depth unless told otherwise; alpha describes it."""
        depth = num_blocks or self.depths[-1]
        network: RRDBNet = RRDBNet(num_blocks=depth, global_skip=self.global_skip, alpha=alpha)
        return network


def read_recipe(name: str | Path = DEFAULT_RECIPE) -> SRTrainingConfig:
    """Read a recipe: a TOML file, or the name of one that ships: `rrdb1`, `rrdb4`, ...

    Keys are the fields of `SRTrainingConfig`, missing ones default.

    Raises:
        MissingFileError: Neither.
        ConfigError: The file is no TOML, has unknown keys, or values out of range.
    """
    return load_recipe(SRTrainingConfig, name, _RECIPES)
