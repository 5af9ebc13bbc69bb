"""Recipes of the forecaster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from forecast.training.config import TrainingConfig, read_recipe
from preprocessing.config import ConfigError, load_config
from preprocessing.errors import (
    MissingFileError,
)
from tests.training_cases import TINY


def test_recipes_are_strict(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("stepz = 3\n")
    with pytest.raises(ConfigError, match="unknown key stepz"):
        load_config(TrainingConfig, recipe)
    recipe.write_text('steps = "many"\n')
    with pytest.raises(ConfigError, match="expected int for steps"):
        load_config(TrainingConfig, recipe)
    recipe.write_text('objective = "crsp"\n')
    with pytest.raises(ConfigError, match="objective to be one of crps, mean, flow"):
        load_config(TrainingConfig, recipe)
    recipe.write_text("members = 1\n")
    with pytest.raises(ConfigError, match="members >= 2"):
        load_config(TrainingConfig, recipe)
    recipe.write_text("pool_scales = [1, 4]\nlearning_rate = 1\n")
    assert load_config(TrainingConfig, recipe) == replace(
        TrainingConfig(), pool_scales=(1, 4), learning_rate=1.0
    )


def test_recipes_that_ship_are_read_by_name(tmp_path: Path) -> None:
    names = ("tiny", "base", "base-32", "large", "mean", "reference")
    recipes = [read_recipe(name) for name in names]
    reference = recipes[-1]
    assert reference.patch_layout == "contiguous"
    assert not reference.scaled_target
    with torch.device("meta"):
        sizes = [
            sum(
                p.numel()
                for p in recipe.build(
                    target_scale=0.1, horizon_years=(1, 7), gsd_m=(0.6, 90)
                ).parameters()
            )
            for recipe in recipes
        ]
    assert [round(size / 1e6, 1) for size in sizes] == [0.9, 4.0, 3.7, 14.8, 3.8, 276.2]
    own = tmp_path / "own.toml"
    own.write_text("steps = 7\n")
    assert read_recipe(own).steps == 7
    with pytest.raises(MissingFileError, match="huge"):
        read_recipe("huge")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"objective": "flow", "sampler": "ddim"}, "ddim"),
        ({"objective": "noise"}, "use 'velocity'"),
        ({"condition_dropout": 0.1}, "condition_dropout"),
        ({"ema_decay": 5.0}, "ema_decay"),
        ({"patience": -1}, "patience"),
        ({"output_size": 48}, "output_size"),
        ({"members": 1}, "members"),
        ({"part_scale": 6.0}, "object_scales"),
        ({"objective": "flow", "regional_noise": 4}, "regional_noise"),
        ({"regional_noise": -1}, "regional_noise"),
        ({"objective": "mean", "sampling_steps": 2}, "sampling_steps"),
        ({"objective": "flow", "object_scales": (20.0,)}, "object_scales"),
        ({"object_scales": (20.0, 30.0, 40.0), "part_scale": 6.0}, "part_scale"),
        ({"guidance": 2.0, "objective": "flow"}, "condition_dropout"),
        ({"block_out_channels": (20, 32)}, "multiples of 16"),
        ({"block_out_channels": (32, 48), "attention_levels": 1}, "multiples of 32"),
        ({"attention_levels": 3}, "attention_levels"),
        ({"block_out_channels": (16,) * 7}, "halve 32 px"),
        ({"pool_scales": (1, 64)}, "pool_scales"),
        ({"pool_scales": ()}, "pool_scales"),
        ({"increment_lags": (32,)}, "increment_lags"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"dataset_weights": (("a", -1.0),)}, "dataset_weights"),
    ],
)
def test_recipes_that_would_fail_late_are_refused_at_once(
    changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        replace(TINY, **changed)
