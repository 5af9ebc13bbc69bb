"""Training of `TextureFeatures` without labels: crops of one tile belong together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.errors import RequestError
from preprocessing.running.files import refuse_occupied
from preprocessing.running.journal import Journal
from preprocessing.running.precision import autocast
from preprocessing.running.prefetch import prefetched, processes_for
from preprocessing.running.progress import Steps, untold
from sr.network.checkpoints import read_checkpoint, same_recipe, save_checkpoint, save_half
from sr.network.rrdb import bicubic_upsample
from sr.network.texture_features import TextureFeatures
from sr.training.degradations import area_downsample
from sr.training.samples import Images, draw_views, read_images, spread

__all__ = ["FeatureTrainingConfig", "contrastive_loss", "train_features"]

_FACTOR = 4
_TILE_PX = 128


@dataclass(frozen=True)
class FeatureTrainingConfig:
    """The recipe.

    Attributes:
        widths: See `TextureFeatures`.
        steps: Optimiser steps.
        batch_size: Tiles a step.
        crop_px: Side of the crops, a multiple of 4 that fits a tile.
        learning_rate: Peak of a cosine schedule with warm-up.
        warmup_steps: Linear warm-up.
        temperature: Of the contrastive loss.
        colour_jitter: Largest relative change of gain and absolute change of offset of a crop.
        seed: Of initialisation and crops.
        checkpoint_every: Steps between checkpoints.
        validate_every: Steps between validations.
        validation_tiles: Tiles of the validation split that are used, evenly spread.
    """

    widths: tuple[int, ...] = (24, 48, 96, 128)
    steps: int = 1200
    batch_size: int = 24
    crop_px: int = 48
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    temperature: float = 0.1
    colour_jitter: float = 0.1
    seed: int = 0
    checkpoint_every: int = 100
    validate_every: int = 300
    validation_tiles: int = 128

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise RequestError(f"features recipe: expected positive widths, got {self.widths}")
        smallest = 2 ** len(self.widths)
        if self.crop_px % _FACTOR or not smallest <= self.crop_px <= _TILE_PX:
            raise RequestError(
                f"features recipe: expected crop_px to be a multiple of {_FACTOR} from {smallest} "
                f"to {_TILE_PX}, got {self.crop_px}"
            )
        for name in ("learning_rate", "temperature", "warmup_steps", "validation_tiles"):
            if getattr(self, name) <= 0:
                raise RequestError(
                    f"features recipe: expected {name} above 0, got {getattr(self, name)}"
                )
        if min(self.steps, self.checkpoint_every, self.validate_every) < 1 or self.batch_size < 2:
            raise RequestError("features recipe: expected positive steps and at least two tiles")


def contrastive_loss(views: Tensor, others: Tensor, blurred: Tensor, temperature: float) -> Tensor:
    """Cross entropy of finding the other crop of one's tile (Chen et al. 2020, equation 1).

    Beside the crops of other tiles, blurred copies of all crops, also of the right one, are wrong
    answers: detail that is lost has to be noticed.

    Args:
        views: `(b, k)` embeddings of one crop of each tile.
        others: `(b, k)` of another crop of the same tiles.
        blurred: `(b, k)` of blurred copies of `others`.
        temperature: Cosines are divided by it.
    """
    anchors, answers = (
        functional.normalize(x, dim=1) for x in (views, torch.cat([others, blurred]))
    )
    return functional.cross_entropy(
        anchors @ answers.T / temperature, torch.arange(len(views), device=views.device)
    )


def train_features(
    stores: Sequence[str | Path],
    out: Path,
    config: FeatureTrainingConfig,
    *,
    resume: bool,
    progress: Steps = untold,
) -> TextureFeatures:
    """Train features on the tiles of pair stores and write a model folder.

    Args:
        stores: Pair stores; past and future tiles both serve.
        out: Gets `checkpoint.pt`, `log.jsonl` (`accuracy` is the share of validation tiles whose
            other crop is found among all and their blurred copies) and the model.
        config: The recipe.
        resume: Continue from the checkpoint in `out`, with the same result as without a stop.
        progress: Called with (steps done, steps in all) after every step.

    Raises:
        OutputExistsError: `out` holds anything and `resume` is False.
        RequestError: There is no checkpoint to resume, or it was made with another recipe.
        PairStoreError: No tiles to train or validate on.
    """
    out = Path(out)
    if not resume:
        refuse_occupied(out, "continue a training run with --resume")
    images = read_images(stores, "train")
    held_out = spread(read_images(stores, "val"), config.validation_tiles)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run(config)
    if resume:
        run.restore(read_checkpoint(out), out)
    journal = Journal(out, run.step)

    def draw(step: int) -> tuple[Tensor, Tensor]:
        return _views(images, config, np.random.default_rng((config.seed, step)))

    for views, others in prefetched(
        draw, range(run.step, config.steps), processes=processes_for(run.network.device)
    ):
        loss = run.advance(views, others)
        last = run.step == config.steps
        if run.step % config.validate_every == 0 or last:
            journal.write({"step": run.step, "loss": loss, "accuracy": run.accuracy(held_out)})
        if run.step % config.checkpoint_every == 0 or last:
            save_checkpoint(out, run.state())
        progress(run.step, config.steps)
    save_half(run.network, out)
    run.network.eval().requires_grad_(False)
    return run.network


def _views(
    images: Images, config: FeatureTrainingConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    chosen = rng.integers(len(images), size=config.batch_size)
    views, others = (
        _jittered(draw_views(images.read(chosen), config.crop_px, rng), config.colour_jitter, rng)
        for _ in range(2)
    )
    return views, others


def _jittered(crops: Tensor, jitter: float, rng: np.random.Generator) -> Tensor:
    shape = (len(crops), 3, 1, 1)
    gain = 1 + jitter * torch.from_numpy(rng.uniform(-1, 1, shape)).float()
    return crops * gain + jitter * torch.from_numpy(rng.uniform(-1, 1, shape)).float()


def _blurred(crops: Tensor) -> Tensor:
    return bicubic_upsample(area_downsample(crops, _FACTOR), _FACTOR)


class _Run:
    """The changing state of one training run."""

    def __init__(self, config: FeatureTrainingConfig) -> None:
        self.config = config
        self.step = 0
        width = config.widths[-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network: TextureFeatures = TextureFeatures(widths=config.widths)
            # Only the training looks through it: the features before it transfer better.
            self.head = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 64))
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.01)
        self.schedule = torch.optim.lr_scheduler.SequentialLR(
            self.optimizer,
            [
                torch.optim.lr_scheduler.LinearLR(
                    self.optimizer, 1 / config.warmup_steps, total_iters=config.warmup_steps
                ),
                torch.optim.lr_scheduler.CosineAnnealingLR(
                    self.optimizer, max(1, config.steps - config.warmup_steps)
                ),
            ],
            [config.warmup_steps],
        )

    def embed(self, crops: Tensor) -> Tensor:
        with autocast(crops.device):
            last = functional.relu(self.network(crops)[-1])
            pooled = torch.cat([last.mean(dim=(-2, -1)), last.amax(dim=(-2, -1))], dim=1)
            embedded: Tensor = self.head(pooled)
        return embedded.float()

    def loss(self, views: Tensor, others: Tensor) -> Tensor:
        blurred = _blurred(others)
        embedded = self.embed(torch.cat([views, others, blurred]))
        view, other, dull = embedded.chunk(3)
        return contrastive_loss(view, other, dull, self.config.temperature)

    def advance(self, views: Tensor, others: Tensor) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(views, others)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def accuracy(self, held_out: Images) -> float:
        """Share of the tiles whose other crop is nearest, of all crops and their blurred copies."""
        rng = np.random.default_rng(0)
        tiles = held_out.read(np.arange(len(held_out)))
        views, others = (draw_views(tiles, self.config.crop_px, rng) for _ in range(2))
        answers = torch.cat([others, _blurred(others)])
        a, b = (functional.normalize(self.embed(x), dim=1) for x in (views, answers))
        return float(((a @ b.T).argmax(dim=1) == torch.arange(len(a))).float().mean())

    def state(self) -> dict[str, Any]:
        return {
            "config": dataclasses.asdict(self.config),
            "step": self.step,
            **{name: getattr(self, name).state_dict() for name in _PARTS},
        }

    def restore(self, state: dict[str, Any], out: Path) -> None:
        same_recipe(state, self.config, out)
        self.step = state["step"]
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])


_PARTS = ("network", "head", "optimizer", "schedule")
