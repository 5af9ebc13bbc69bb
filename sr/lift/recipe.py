"""The training recipe of the guided network: a frozen config, read from TOML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.running.config import load_recipe
from sr.lift.network import GuidedRRDBNet
from sr.lift.samples import Mixture
from sr.training.adversarial import AdversarialRecipe

__all__ = ["DEFAULT_GUIDED_RECIPE", "GuidedTrainingConfig", "read_guided_recipe"]

DEFAULT_GUIDED_RECIPE = "guided16"
_RECIPES = Path(__file__).parent.parent / "recipes" / "lift"


@dataclass(frozen=True)
class GuidedTrainingConfig(AdversarialRecipe):
    """Everything that decides the weights, besides the pairs.

    The warm-up comes at the start of each phase; `gan_learning_rate` falls by a cosine to a tenth.
    The perceptual loss is that of `sr.network.texture_features`.

    Attributes:
        num_blocks: See `GuidedRRDBNet`.
        num_features: See `GuidedRRDBNet`.
        growth_channels: See `GuidedRRDBNet`.
        head_features: See `GuidedRRDBNet`.
        crop_px: Side of an example at full resolution.
        steps: Steps of both phases; the schedule ends with them.
        minutes: If not 0, the schedule ends after so much training time instead. What is learnt
            then depends on the machine.
        gan_share: Share of the training that is the adversarial phase, 0 to leave it out.
        whole: See `Mixture`.
        elsewhere: See `Mixture`.
        drawn: See `Mixture`.
        noisy: See `Mixture`.
        cuda_graphs: On a GPU record each pass once and replay it.
    """

    num_blocks: int = 16
    num_features: int = 32
    growth_channels: int = 16
    head_features: int = 96
    crop_px: int = 96
    batch_size: int = 64
    steps: int = 12000
    minutes: float = 0.0
    gan_share: float = 0.35
    learning_rate: float = 1e-3
    gan_learning_rate: float = 2e-4
    warmup_steps: int = 200
    ema_decay: float = 0.999
    feature_weight: float = 0.05
    whole: float = 0.5
    elsewhere: float = 0.35
    drawn: float = 0.5
    noisy: float = 0.25
    cuda_graphs: bool = True
    checkpoint_every: int = 500
    validate_every: int = 1000
    validation_tiles: int = 96

    def __post_init__(self) -> None:
        problems = self.problems
        if not 16 <= self.crop_px <= 128 or self.crop_px % 8:
            problems.append("crop_px must be a multiple of 8, 16 to 128")
        if min(self.steps, self.num_blocks) < 1 or self.minutes < 0:
            problems.append("steps and num_blocks must be positive, minutes not negative")
        if not 0 <= self.gan_share < 1:
            problems.append("gan_share must lie in 0..1")
        if problems:
            raise RequestError("recipe of the lift: " + "; ".join(problems))
        self.mixture()

    def mixture(self) -> Mixture:
        """How examples are mixed."""
        return Mixture(self.whole, self.elsewhere, self.drawn, self.noisy)

    def share_done(self, step: int, seconds: float) -> float:
        """How much of the training is over, 0..1, after `step` steps and `seconds`."""
        return min(1.0, seconds / (60 * self.minutes) if self.minutes else step / self.steps)

    def learning_rate_at(self, share: float, since: int) -> float:
        """Learning rate at a share of the training, `since` steps after its phase began."""
        warm = self.warm(since)
        turn = 1 - self.gan_share
        if share < turn:
            cosine = 0.5 * (1 + math.cos(math.pi * share / turn))
            return self.learning_rate * warm * (0.01 + 0.99 * cosine)
        cosine = 0.5 * (1 + math.cos(math.pi * (share - turn) / self.gan_share))
        return self.gan_learning_rate * warm * (0.1 + 0.9 * cosine)

    def build(self) -> GuidedRRDBNet:
        """The untrained network."""
        network: GuidedRRDBNet = GuidedRRDBNet(
            num_blocks=self.num_blocks,
            num_features=self.num_features,
            growth_channels=self.growth_channels,
            head_features=self.head_features,
        )
        return network


def read_guided_recipe(name: str | Path = DEFAULT_GUIDED_RECIPE) -> GuidedTrainingConfig:
    """Read a recipe: a TOML file, or the name of one that ships.

    Keys are the fields of `GuidedTrainingConfig`, missing ones default.

    Raises:
        MissingFileError: Neither.
        ConfigError: The file is no TOML, has unknown keys, or values out of range.
    """
    return load_recipe(GuidedTrainingConfig, name, _RECIPES)
