"""Everything a training run of the forecaster is decided by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forecast.patches import OUTPUT_SIZES, PatchLayout
from forecast.process import ONE_PASS, NoiseSchedule, Objective, Process, Sampler
from forecast.unet import ForecastUNet
from preprocessing.config import load_recipe

__all__ = ["TrainingConfig", "read_recipe"]

_RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class TrainingConfig:
    """One training run; saved beside the weights.

    Attributes:
        block_out_channels: Width of each level of the UNet.
        layers_per_block: Residual blocks a level.
        attention_levels: How many of the deepest levels attend.
        patch_layout: `aligned` or `contiguous`.
        output_size: Side of the forecast of a tile of 128 px: 32, 64 or 128 px.
        objective: `crps` or `mean` (one pass), `flow`, `noise` or `velocity` (several).
        sampling_steps: Passes of a forecast.
        noise_schedule: Of `noise` and `velocity`: `linear` or `cosine`.
        sampler: Solver of a forecast of several passes.
        guidance: Weight of the picture in forecasts of several passes, see `ForecastUNet`; needs
            `condition_dropout` unless 1.
        condition_dropout: Share of the items that are learnt without their picture, so that a
            model of several passes can be guided.
        scaled_target: Divide the difference by its standard deviation over the training pairs.
        object_scales: Sizes of objects that change as a whole, for 32 px of output, see
            `forecast.objects`.
        part_scale: Size of their parts, which change beside them as single pixels do; 0 for none.
        regional_noise: Values of noise that a whole region shares.
        resolution_condition: Tell the network the metres per pixel.
        gsd_dropout: Share of the items whose metres per pixel are withheld, so that the network
            also serves images without georeference.
        history: Earlier dates that are a condition, beside the past; 2 makes three dates in all.
        history_dropout: Share of the earlier dates that are withheld, so that the network also
            forecasts from fewer, or from one picture alone.
        rollout_share: Share of the steps that continue from a forecast of half the horizon
            instead of from the past, so that the network meets its own results.
        steps: Optimiser steps.
        batch_size: Pairs a step.
        members: Members a pair, for the CRPS.
        pool_scales: Block sizes, in output pixels, over which the CRPS is taken.
        increment_lags: Distances, in output pixels, of the increments whose CRPS is taken too.
        learning_rate: Peak of the cosine schedule.
        warmup_steps: Linear warm-up.
        weight_decay: Of AdamW.
        gradient_clip: Largest norm of the gradient.
        ema_decay: Of the weights that are kept.
        colour_jitter: Largest shared change of gain and offset of past and future.
        mixing_power: Datasets are drawn in proportion to their number of pairs to this power,
        dataset_weights: times these weights, as (dataset, weight); 1 for those not named.
        horizon_power: Pairs of a dataset are drawn in proportion to their years to minus this
            power; 1 favours the short steps that a yearly rollout takes.
        seed: Of weights, order, augmentation and noise.
        log_every: Steps between entries of the journal: loss, norm of the gradient, learning rate.
        validate_every: Steps between validations.
        validation_pairs: Pairs of the val split that are scored each time, evenly by dataset.
        validation_members: Members of the validation ensembles.
        patience: Stop after so many validations without a better CRPS (the mean over datasets of
            the ratio to dressed persistence), and keep the weights of the best one; 0 trains to
            the end and keeps the last.
        checkpoint_every: Steps between resumable checkpoints.
        bfloat16: Autocast the network; losses stay in float32.
    """

    block_out_channels: tuple[int, ...] = (64, 128, 192, 256)
    layers_per_block: int = 1
    attention_levels: int = 1
    patch_layout: PatchLayout = "aligned"
    output_size: int = 32
    objective: Objective = "crps"
    sampling_steps: int = 1
    noise_schedule: NoiseSchedule = "cosine"
    sampler: Sampler = "default"
    condition_dropout: float = 0.0
    guidance: float = 1.0
    scaled_target: bool = True
    object_scales: tuple[float, ...] = ()
    part_scale: float = 0.0
    regional_noise: int = 0
    resolution_condition: bool = False
    gsd_dropout: float = 0.1
    history: int = 0
    history_dropout: float = 0.3
    rollout_share: float = 0.0
    steps: int = 6000
    batch_size: int = 8
    members: int = 2
    pool_scales: tuple[int, ...] = (1, 4)
    increment_lags: tuple[int, ...] = (1, 2, 4)
    learning_rate: float = 4e-4
    warmup_steps: int = 200
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    ema_decay: float = 0.998
    colour_jitter: float = 0.1
    mixing_power: float = 0.5
    dataset_weights: tuple[tuple[str, float], ...] = ()
    horizon_power: float = 1.0
    seed: int = 0
    log_every: int = 10
    validate_every: int = 500
    validation_pairs: int = 192
    validation_members: int = 8
    patience: int = 0
    checkpoint_every: int = 100
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if self.objective == "crps" and self.members < 2:
            raise ValueError(f"objective 'crps' needs members >= 2, got {self.members}")
        if self.objective in ONE_PASS and self.sampling_steps != 1:
            raise ValueError(
                f"objective '{self.objective}' needs sampling_steps = 1, got {self.sampling_steps}"
            )
        if self.objective in ONE_PASS and self.condition_dropout:
            raise ValueError(f"objective '{self.objective}' needs condition_dropout = 0")
        if self.output_size not in OUTPUT_SIZES:
            raise ValueError(f"output_size must be one of {OUTPUT_SIZES}, got {self.output_size}")
        if self.guidance != 1.0 and not self.condition_dropout:
            raise ValueError(f"expected condition_dropout with guidance = {self.guidance}, got 0")
        if self.object_scales and self.objective != "crps":
            raise ValueError(
                f"objective '{self.objective}' needs object_scales = [] and part_scale = 0, got "
                f"{list(self.object_scales)}"
            )
        most = 2 if self.part_scale else 3
        if len(self.object_scales) > most or (self.part_scale and not self.object_scales):
            raise ValueError(
                f"expected at most 3 object_scales, or 1 or 2 with a part_scale, got "
                f"{list(self.object_scales)}"
            )
        self._check_sizes()
        process = Process(self.objective, self.noise_schedule)
        if self.objective not in ONE_PASS:
            process.solver(self.sampler, self.sampling_steps)
        if self.regional_noise and self.objective != "crps":
            raise ValueError(f"objective '{self.objective}' needs regional_noise = 0")
        for name in ("learning_rate", "gradient_clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if any(weight < 0 for _, weight in self.dataset_weights):
            raise ValueError(f"dataset_weights must not be negative, got {self.dataset_weights}")
        for name in ("patience", "warmup_steps", "weight_decay", "history", "regional_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in (
            "ema_decay",
            "gsd_dropout",
            "history_dropout",
            "condition_dropout",
            "rollout_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in (
            "steps",
            "batch_size",
            "sampling_steps",
            "log_every",
            "validate_every",
            "checkpoint_every",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def _check_sizes(self) -> None:
        widths, side = self.block_out_channels, self.output_size
        attending = widths[len(widths) - self.attention_levels :] if self.attention_levels else ()
        if not widths or any(w < 1 or w % 16 for w in widths) or any(w % 32 for w in attending):
            raise ValueError(
                "block_out_channels must be multiples of 16, of levels that attend multiples of "
                f"32, got {list(widths)} with attention_levels = {self.attention_levels}"
            )
        if not 0 <= self.attention_levels <= len(widths) or 2 ** (len(widths) - 1) > side:
            raise ValueError(
                f"expected levels that halve {side} px, and as many or fewer attention_levels, got "
                f"{len(widths)} and {self.attention_levels}"
            )
        if not self.pool_scales or any(not 1 <= scale <= side for scale in self.pool_scales):
            raise ValueError(f"pool_scales must be 1 to {side}, got {list(self.pool_scales)}")
        if any(not 1 <= lag < side for lag in self.increment_lags):
            raise ValueError(
                f"increment_lags must be 1 to {side - 1}, got {list(self.increment_lags)}"
            )

    def build(
        self,
        *,
        target_scale: float,
        horizon_years: tuple[float, float],
        gsd_m: tuple[float, float],
    ) -> ForecastUNet:
        """The untrained network, told what its data were."""
        model: ForecastUNet = ForecastUNet(
            block_out_channels=self.block_out_channels,
            layers_per_block=self.layers_per_block,
            attention_levels=self.attention_levels,
            patch_layout=self.patch_layout,
            output_size=self.output_size,
            objective=self.objective,
            sampling_steps=self.sampling_steps,
            noise_schedule=self.noise_schedule,
            sampler=self.sampler,
            guidance=self.guidance,
            object_scales=self.object_scales,
            part_scale=self.part_scale,
            regional_noise=self.regional_noise,
            resolution_condition=self.resolution_condition,
            history=self.history,
            target_scale=target_scale if self.scaled_target else 1.0,
            horizon_years=horizon_years,
            gsd_m=gsd_m,
        )
        return model


def read_recipe(name: str | Path) -> TrainingConfig:
    """Read a recipe: a TOML file, or the name of one that ships, e.g. `base`.

    Raises:
        MissingFileError: Neither.
        ConfigError: See `load_recipe`.
    """
    return load_recipe(TrainingConfig, name, _RECIPES)
