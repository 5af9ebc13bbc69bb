"""The training loop of the forecaster: deterministic, resumable, validated against no change."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from diffusers.training_utils import EMAModel

from forecast.baselines import DressedPersistence
from forecast.colours import LandColours
from forecast.evaluation.tiles import evenly_by_dataset, score_table, score_tiles
from forecast.patches import to_low
from forecast.pretrained import weights_sha256
from forecast.training.begin import first_model
from forecast.training.checkpoint import load_checkpoint, save_checkpoint
from forecast.training.config import TrainingConfig
from forecast.training.data import Batch, PairData
from forecast.training.export import export_model
from forecast.training.objective import TrainingLoss
from preprocessing.errors import DivergedError, ModelFolderError, PairStoreError
from preprocessing.files import refuse_occupied
from preprocessing.journal import Journal
from preprocessing.pair_index import PairIndex
from preprocessing.prefetch import prefetched, processes_for

__all__ = ["train_forecast"]

_log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
_MOST_SKIPPED = 50


def train_forecast(
    stores: Sequence[str | Path],
    out: Path,
    config: TrainingConfig,
    *,
    init: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train, validate, export.

    Runs on the CPU, on a GPU, or under `accelerate launch` on several: each process then takes
    its share of every batch, and the first one writes.

    Args:
        stores: Pair stores; their `train` pairs are learnt from, their `val` pairs are scored.
        out: Model folder; also holds the checkpoint, `log.jsonl` and TensorBoard's files.
        config: The recipe.
        init: Start from the weights of this model (shipped name or folder), see `first_model`.
        resume: Continue from the checkpoint in `out`; the result is the same as without a break.
        progress: Called with `("training", step, steps)`.

    Returns:
        The model folder.

    Raises:
        OutputExistsError: `out` holds anything and `resume` is False.
        ModelFolderError: `resume` is asked for but there is no checkpoint, or one of another
            recipe.
        PairStoreError: The stores hold no training pairs.
        DivergedError: Fifty steps on end had no finite gradient.
    """
    if not resume:
        refuse_occupied(out, "continue a training run with --resume")
    run = _Run(stores, out, config, init)
    if resume:
        run.load()
    run.train(progress)
    if run.accelerator.is_main_process:
        colours = LandColours.fit(run.data, factor=run.model.factor)
        export_model(out, out, dressed=run.dressed, colours=colours, pairs=run.data.counts)
    run.accelerator.wait_for_everyone()
    return out


class _Run:
    """The changing state of one training run."""

    def __init__(
        self,
        stores: Sequence[str | Path],
        out: Path,
        config: TrainingConfig,
        init: str | Path | None,
    ) -> None:
        self.out, self.config = out, config
        self.accelerator = Accelerator()
        if config.batch_size % self.accelerator.num_processes:
            raise ValueError(
                f"expected a batch_size that {self.accelerator.num_processes} processes can share, "
                f"got {config.batch_size}"
            )
        self.data = PairData(
            PairIndex.of(stores, "train", side_px=None),
            seed=config.seed,
            mixing_power=config.mixing_power,
            dataset_weights=dict(config.dataset_weights),
            horizon_power=config.horizon_power,
            colour_jitter=config.colour_jitter,
            gsd_dropout=config.gsd_dropout,
            history=config.history,
            history_dropout=config.history_dropout,
        )
        self.validation: PairData | None = None
        try:
            held_out = PairIndex.of(stores, "val", side_px=None)
            self.validation = PairData(held_out, seed=config.seed, history=config.history)
        except PairStoreError:
            _log.warning("no pairs of the split 'val': training without validation")
        self.dressed = DressedPersistence.fit(self.data)
        torch.manual_seed(config.seed)
        self.model = first_model(config, self.data, init).to(
            self.accelerator.device, memory_format=torch.channels_last
        )
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.ema = EMAModel(
            self.model.parameters(),
            decay=config.ema_decay,
            use_ema_warmup=True,
            inv_gamma=1.0,
            power=0.75,
        )
        self.loss = self.accelerator.prepare(TrainingLoss(self.model, config))
        parent = None if init is None else weights_sha256(init)
        self.identity = json.dumps(
            {"config": asdict(config), "pairs": self.data.fingerprint(), "init": parent}
        )
        self.step, self.seconds = 0, 0.0
        # Of the steps since the last entry of the journal.
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.best: dict[str, Any] | None = None
        self.skipped = 0

    def load(self) -> None:
        """Go back to the checkpoint."""
        state = load_checkpoint(self.out)
        if state["identity"] != self.identity:
            raise ModelFolderError(
                f"the checkpoint in {self.out} was made by another configuration or other pairs; "
                "resume with the same ones or name another folder"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.ema.to(self.accelerator.device)
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.losses, self.norms = state["losses"], state["norms"]

    def train(self, progress: Progress | None) -> None:
        """Take the steps that are left, or stop early."""
        config = self.config
        journal = None
        if self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            journal = Journal(self.out, self.step)
        started = time.monotonic() - self.seconds
        self.model.train()
        batches = prefetched(
            self._batch,
            range(self.step, config.steps),
            processes=processes_for(self.accelerator.device),
        )
        while self.step < config.steps and not self._stale():
            self._advance(next(batches))
            self.step += 1
            self.seconds = time.monotonic() - started
            if progress is not None:
                progress("training", self.step, config.steps)
            last = self.step == config.steps
            judged = self.step % config.validate_every == 0 or last
            if self.step % config.log_every == 0 or judged:
                entry = self._entry()
                if judged and self.validation is not None:
                    entry |= self._validate(self.validation)
                if journal is not None:
                    journal.write(entry)
            if self.step % config.checkpoint_every == 0 or last or self._stale():
                self._save()

    def _entry(self) -> dict[str, Any]:
        """What the journal says of the steps since its last entry."""
        entry = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "loss": sum(self.losses) / len(self.losses),
            "gradient_norm": sum(self.norms) / len(self.norms),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        self.losses.clear()
        self.norms.clear()
        return entry

    def _batch(self, step: int) -> Batch:
        """The batch of a step; images are cut into objects here, off the device."""
        batch = self.data.batch(step, self.config.batch_size, factor=self.model.factor)
        return replace(batch, segments=self.model.segments(to_low(batch.past, self.model.factor)))

    def _advance(self, batch: Batch) -> None:
        config, accelerator = self.config, self.accelerator
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(self.step, config)
        mine = slice(accelerator.process_index, None, accelerator.num_processes)
        loss = self.loss(
            batch.part(mine).to(accelerator.device),
            self.step * accelerator.num_processes + accelerator.process_index,
        )
        accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.gradient_clip)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.ema.step(self.model.parameters())
            self.skipped = 0
        else:
            self.skipped += 1
            _log.warning("step %d: no finite gradient, skipped", self.step)
            if self.skipped == _MOST_SKIPPED:
                raise DivergedError(
                    f"expected finite gradients, had none in {_MOST_SKIPPED} steps up to "
                    f"{self.step}; lower learning_rate, or train in float32 (bfloat16 = false), "
                    f"and go on with --resume or anew"
                )
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.append(float(loss.detach()))
        self.norms.append(float(norm))

    def _validate(self, validation: PairData) -> dict[str, Any]:
        """Score the averaged weights; remember them if they are the best so far."""
        entry: dict[str, Any] = {}
        if self.accelerator.is_main_process:
            parameters = list(self.model.parameters())
            self.ema.store(parameters)
            self.ema.copy_to(parameters)
            entry["validation"] = score_tiles(
                self.model,
                validation,
                evenly_by_dataset(validation, self.config.validation_pairs),
                self.dressed,
                members=self.config.validation_members,
            )
            self.ema.restore(parameters)
            self.model.train()
            _log.info("validation\n%s", score_table(entry["validation"]))
        if self.config.patience:
            self._remember(entry)
        return entry

    def _remember(self, entry: dict[str, Any]) -> None:
        skills = [_skill(entry["validation"]) if entry else math.nan]
        broadcast_object_list(skills)
        if math.isfinite(skills[0]) and (self.best is None or skills[0] < self.best["crps"]):
            ema = {
                key: [tensor.clone() for tensor in value] if key == "shadow_params" else value
                for key, value in self.ema.state_dict().items()
            }
            self.best = {"crps": skills[0], "step": self.step, "ema": ema}

    def _stale(self) -> bool:
        patience = self.config.patience * self.config.validate_every
        return bool(patience and self.best and self.step - self.best["step"] >= patience)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            save_checkpoint(
                self.out,
                {
                    "identity": self.identity,
                    "config": json.dumps(asdict(self.config)),
                    "model_config": json.dumps(self.model.config),
                    "model": self.model.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "ema": self.ema.state_dict(),
                    "best": self.best,
                    "step": self.step,
                    "seconds": self.seconds,
                    "losses": self.losses,
                    "norms": self.norms,
                },
            )


def _skill(scores: dict[str, Any]) -> float:
    """What decides over early stopping: the CRPS, each dataset over its dressed persistence."""
    ratios: list[float] = [
        methods["landcast"]["crps"] / methods["dressed persistence"]["crps"]
        for dataset, methods in scores.items()
        if dataset != "all" and methods["dressed persistence"]["crps"] > 0
    ]
    if not ratios:
        return math.nan
    return sum(ratios) / len(ratios)


def _schedule(step: int, config: TrainingConfig) -> float:
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    position = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * position))
