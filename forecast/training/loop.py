"""The training loop of the forecaster: deterministic, resumable, validated against no change."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers.training_utils import EMAModel

from forecast.baselines import DressedPersistence
from forecast.evaluation.tiles import evenly_by_dataset, score_table, score_tiles
from forecast.pretrained import load_model, weights_sha256
from forecast.training.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from forecast.training.config import TrainingConfig
from forecast.training.data import Batch, PairData, read_pairs
from forecast.training.objective import training_loss
from forecast.unet import ForecastUNet
from preprocessing.errors import ModelFolderError, OutputExistsError, PairStoreError
from preprocessing.files import strict, write_text

__all__ = ["export_model", "train_forecast"]

_log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]


def train_forecast(
    stores: Sequence[Path],
    out: Path,
    config: TrainingConfig,
    *,
    init: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Train, validate, export.

    Args:
        stores: Pair stores; their `train` pairs are learnt from, their `val` pairs are scored.
        out: Model folder; also holds the checkpoint and `log.jsonl`.
        config: The recipe.
        init: Start from the weights of this model (shipped name or folder) instead of random
            ones; its architecture and target scale are kept.
        resume: Continue from the checkpoint in `out`; the result is the same as without a break.
        progress: Called with `("training", step, steps)`.

    Returns:
        The model folder.

    Raises:
        OutputExistsError: `out` holds a run and `resume` is False.
        ModelFolderError: `resume` is asked for but there is no checkpoint, or one of another
            recipe.
        PairStoreError: The stores hold no training pairs.
    """
    if not resume and (out / CHECKPOINT).exists():
        raise OutputExistsError(
            f"{out} already holds a training run; continue it with --resume or name another folder"
        )
    data = PairData(
        read_pairs(stores, "train"),
        seed=config.seed,
        mixing_power=config.mixing_power,
        horizon_power=config.horizon_power,
        colour_jitter=config.colour_jitter,
    )
    try:
        validation: PairData | None = PairData(read_pairs(stores, "val"), seed=config.seed)
    except PairStoreError:
        validation = None
        _log.warning("no pairs of the split 'val': training without validation")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(config.seed)
    model = _start(config, data, init).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    ema = EMAModel(
        model.parameters(), decay=config.ema_decay, use_ema_warmup=True, inv_gamma=1.0, power=0.75
    )
    dressed = DressedPersistence.fit(data)
    parent = None if init is None else weights_sha256(init)
    identity = json.dumps({"config": asdict(config), "pairs": data.fingerprint(), "init": parent})
    first, seconds = 0, 0.0
    if resume:
        state = load_checkpoint(out)
        if state["identity"] != identity:
            raise ModelFolderError(
                f"the checkpoint in {out} was made by another configuration or other pairs; "
                "resume with the same ones or name another folder"
            )
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.load_state_dict(state["ema"])
        ema.to(device)
        first, seconds = state["step"], state["seconds"]
        _trim_log(out, first)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic() - seconds

    def checkpoint(step: int) -> None:
        save_checkpoint(
            out,
            {
                "identity": identity,
                "config": json.dumps(asdict(config)),
                "model_config": json.dumps(model.config),
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "ema": ema.state_dict(),
                "step": step,
                "seconds": time.monotonic() - started,
            },
        )

    model.train()
    running: list[float] = []
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config)
        batch = data.batch(step, config.batch_size)
        loss = training_loss(model, _to(batch, device), config, step)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        if torch.isfinite(norm):
            optimizer.step()
            ema.step(model.parameters())
        optimizer.zero_grad(set_to_none=True)
        running.append(float(loss.detach()))
        done = step + 1
        if progress is not None:
            progress("training", done, config.steps)
        if done % config.validate_every == 0 or done == config.steps:
            entry: dict[str, Any] = {
                "step": done,
                "seconds": round(time.monotonic() - started, 1),
                "loss": sum(running) / len(running),
            }
            running.clear()
            if validation is not None:
                entry["validation"] = _validate(model, ema, validation, dressed, config)
            with (out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(strict(entry)) + "\n")
        if done % config.checkpoint_every == 0 or done == config.steps:
            checkpoint(done)
    return export_model(out, stores, out)


def export_model(run: Path, stores: Sequence[Path], out: Path) -> Path:
    """Write the averaged weights of a run's checkpoint as a model folder, in float16.

    Args:
        run: Folder with the checkpoint.
        stores: The stores it was trained on: the dressing of the baseline is taken from them.
        out: Model folder.
    """
    state = load_checkpoint(run)
    data = PairData(read_pairs(stores, "train"), seed=0)
    model: ForecastUNet = ForecastUNet.from_config(json.loads(state["model_config"]))
    model.load_state_dict(state["model"])
    ema = EMAModel(model.parameters())
    ema.load_state_dict(state["ema"])
    ema.copy_to(model.parameters())
    out.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(out)
    DressedPersistence.fit(data).save(out)
    facts = {
        "config": json.loads(state["config"]),
        "init_sha256": json.loads(state["identity"])["init"],
        "steps_done": state["step"],
        "seconds": round(state["seconds"]),
        "pairs": data.counts,
        "torch": torch.__version__.split("+")[0],
    }
    (out / "training.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return out


def _start(config: TrainingConfig, data: PairData, init: str | Path | None) -> ForecastUNet:
    fresh = config.build(
        target_scale=data.target_scale(), horizon_years=data.horizon_years, gsd_m=data.gsd_m
    )
    if init is None:
        return fresh
    parent = load_model(init, device=torch.device("cpu"))
    for key in ("block_out_channels", "layers_per_block", "attention_levels", "patch_layout"):
        ours, theirs = fresh.config[key], parent.config[key]
        if json.dumps(ours) != json.dumps(theirs):
            raise ModelFolderError(
                f"expected the model {init} to have {key} = {ours} as the recipe says, got {theirs}"
            )
    fresh.register_to_config(target_scale=parent.config.target_scale)
    fresh.load_state_dict(parent.state_dict())
    return fresh


def _trim_log(out: Path, step: int) -> None:
    """Drop what was logged after the checkpoint: it will be done again."""
    path = out / "log.jsonl"
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        write_text(path, "".join(f"{line}\n" for line in kept))


def _schedule(step: int, config: TrainingConfig) -> float:
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    position = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * position))


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(getattr(batch, name).to(device) for name in Batch.__dataclass_fields__))


def _validate(
    model: ForecastUNet,
    ema: EMAModel,
    validation: PairData,
    dressed: DressedPersistence,
    config: TrainingConfig,
) -> dict[str, Any]:
    ema.store(model.parameters())
    ema.copy_to(model.parameters())
    scores = score_tiles(
        model,
        validation,
        evenly_by_dataset(validation, config.validation_pairs),
        dressed,
        members=config.validation_members,
    )
    ema.restore(model.parameters())
    model.train()
    _log.info("validation\n%s", score_table(scores))
    return scores
