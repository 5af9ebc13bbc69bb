"""Recipes of the forecaster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forecast.training.catalogue import Catalogue
from forecast.training.place_tensors import Ground, GroundPlace
from forecast.training.training_samples import Drawing
from preprocessing.running.config import load_recipe

__all__ = ["ForecastTraining", "read_recipe"]

_RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class ForecastTraining:
    """One training run; saved beside the weights.

    Attributes:
        block_out_channels: Width of each level of the UNet.
        layers_per_block: Residual blocks a level.
        regional_noise: Values of noise that a whole region shares.
        steps: Optimiser steps.
        batch_size: Items a step; two members each.
        learning_rate: Peak of the cosine schedule.
        warmup_steps: Linear warm-up.
        weight_decay: Of AdamW.
        gradient_clip: Largest norm of the gradient.
        ema_decay: Of the weights that are kept.
        dataset_weights: How often datasets are drawn, as (dataset, weight); 1 for those not named.
        drawing: How items are varied.
        longest_years: Longest horizon that is drawn.
        validate_every: Steps between scores on whole places; the weights of each are kept.
        worlds: Simulated worlds that are made and trained on beside the stores.
        seed: Of weights, items, and noise.
        compiled: Compile the network; pays on a GPU.
    """

    block_out_channels: tuple[int, ...] = (48, 64, 96, 128)
    layers_per_block: int = 1
    regional_noise: int = 8
    steps: int = 2000
    batch_size: int = 16
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    weight_decay: float = 0.02
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    dataset_weights: tuple[tuple[str, float], ...] = ()
    drawing: Drawing = field(default_factory=Drawing)
    longest_years: float = 12.0
    validate_every: int = 500
    worlds: int = 80
    seed: int = 0
    compiled: bool = False

    def catalogue(self, places: Sequence[GroundPlace], ground: Ground) -> Catalogue:
        """What is drawn of places that `ground` begins with."""
        return Catalogue.of(
            places,
            ground,
            weights=dict(self.dataset_weights),
            longest=self.longest_years,
            boost=self.drawing.boost,
        )


def read_recipe(name: str | Path) -> ForecastTraining:
    """Read a recipe: a TOML file, or the name of one that ships.

    Raises:
        MissingFileError: Neither.
        ConfigError: See `load_recipe`.
    """
    return load_recipe(ForecastTraining, name, _RECIPES)
