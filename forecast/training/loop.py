"""The training loop of the forecaster: data on the device, one process, resumable."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.training_utils import EMAModel
from torch import nn

from forecast.network.unet import ChangeUNet
from forecast.training.catalogue import Catalogue
from forecast.training.checkpoint import export_weights, resume, save_checkpoint
from forecast.training.config import ForecastTraining
from forecast.training.hurdle_loss import hurdle_loss
from forecast.training.place_scores import Case, score_place
from forecast.training.place_tensors import Ground
from forecast.training.probability_calibration import calibrate
from forecast.training.training_samples import Item, gather
from preprocessing.errors import DivergedError
from preprocessing.running.precision import autocast
from preprocessing.running.progress import Steps, untold

__all__ = ["known_mean", "train_network"]

_log = logging.getLogger(__name__)
_CALIBRATION_BATCHES = 50


def train_network(
    ground: Ground,
    catalogue: Catalogue,
    cases: Sequence[Case],
    config: ForecastTraining,
    out: Path,
    *,
    device: torch.device,
    alike: Catalogue | None = None,
    minutes: float | None = None,
    init: ChangeUNet | None = None,
    progress: Steps = untold,
) -> ChangeUNet:
    """Train a network; each validation writes `step_{n}/` and a line of `journal.jsonl`.

    What the network tells of occurrence is written only if it ranks the validation places better
    than the rules that it starts from; else their log odds are.

    Args:
        ground: Training and validation places; moved to the device.
        catalogue: Windows of the training places.
        cases: Of the validation places.
        config: The run. A checkpoint in `out` is continued.
        out: Folder, made if missing.
        device: Where to.
        alike: The same with every dataset counting alike; tells how much changes. Default: as
            they are drawn.
        minutes: Stop after so much time, if the steps are not done by then.
        init: Start from its weights; `config` has its shape.
        progress: Called with (steps done, in all).

    Returns:
        The network with the averaged weights of the last step.

    Raises:
        DivergedError: The loss is no longer a number.
        RequestError: The checkpoint is of another run.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    model: ChangeUNet = ChangeUNet(
        block_out_channels=config.block_out_channels,
        layers_per_block=config.layers_per_block,
        regional_noise=config.regional_noise,
        horizon_years=(1.0, config.longest_years),
    )
    nn.init.zeros_(model.unet.conv_out.weight)
    with torch.no_grad():
        model.unet.conv_out.bias.zero_()
        model.unet.conv_out.bias[0] = -1.5
    if init is not None:
        model.load_state_dict(init.state_dict())
    model.to(device, memory_format=torch.channels_last)
    ground = ground.to(device)
    optimizer = torch.optim.AdamW(
        _trained(model), config.learning_rate, weight_decay=config.weight_decay
    )
    ema = EMAModel(_trained(model), decay=config.ema_decay, foreach=True)
    begin = resume(out / "checkpoint.pt", config, model, ema, optimizer, device)
    if config.compiled:
        model.unet.compile()
    began, sums = time.monotonic(), torch.zeros(2, device=device)
    since = begin

    draw = _drawing(catalogue, ground, config, device)
    draw_alike = draw if alike is None else _drawing(alike, ground, config, device)
    for step in range(begin, config.steps):
        spent = 0.0 if minutes is None else (time.monotonic() - began) / (60 * minutes)
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config, spent)
        item, generator = draw(step)
        with autocast(device):
            loss = hurdle_loss(model, item, generator)
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.step(_trained(model))
        sums += torch.stack([loss.change, loss.look]).detach()
        done = step + 1
        last = done == config.steps or spent >= 1
        if done % config.validate_every == 0 or last:
            losses = (sums / (done - since)).tolist()
            if not all(map(math.isfinite, losses)):
                raise DivergedError(
                    f"the loss was {losses} by step {done}; lower learning_rate in the recipe, and "
                    "go on with --resume, which begins at the last checkpoint"
                )
            sums.zero_()
            since = done
            ema.store(_trained(model))
            ema.copy_to(_trained(model))
            model.eval()
            # Batches of other sizes are not worth compiling.
            with torch.compiler.set_stance("force_eager"):
                further = range(config.steps, config.steps + min(_CALIBRATION_BATCHES, done))
                tried = {"network": model, "rules": model.occurrence_by_rules()}
                found = {}
                for occurrence, candidate in tried.items():
                    items, even = ((d(n)[0] for n in further) for d in (draw, draw_alike))
                    calibrate(candidate, items, even, generator)
                    found[occurrence] = _scores(candidate, ground, cases)
            occurrence = max(found, key=lambda name: _mean_auc(found[name]))
            scores = found[occurrence]
            export_weights(tried[occurrence], out / f"step_{done}")
            model.train()
            ema.restore(_trained(model))
            entry = {
                "step": done,
                "seconds": round(time.monotonic() - began, 1),
                "change": losses[0],
                "look": losses[1],
                "occurrence": occurrence,
                "scores": scores,
            }
            with (out / "journal.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            _log.info("%s", summary_line(entry))
            save_checkpoint(out / "checkpoint.pt", config, model, ema, optimizer, done)
        progress(done, config.steps)
        if last:
            break
    ema.copy_to(_trained(model))
    model.eval()
    return model


def _drawing(
    catalogue: Catalogue, ground: Ground, config: ForecastTraining, device: torch.device
) -> Callable[[int], tuple[Item, torch.Generator]]:
    """The batch of a step, and the generator that drew it."""
    rows = torch.from_numpy(catalogue.rows).to(device)
    share = torch.from_numpy(catalogue.share).to(device).cumsum(dim=0)
    weight = torch.from_numpy(catalogue.weight).to(device)

    def draw(step: int) -> tuple[Item, torch.Generator]:
        generator = torch.Generator(device=device).manual_seed(config.seed * 1_000_003 + step)
        drawn = torch.rand(config.batch_size, generator=generator, device=device).double()
        index = torch.searchsorted(share, drawn * share[-1]).clamp_max(len(rows) - 1)
        return gather(ground, rows[index], weight[index], config.drawing, generator), generator

    return draw


def _scores(
    model: ChangeUNet, ground: Ground, cases: Sequence[Case]
) -> dict[str, dict[str, float | None]]:
    """Of every case without and with history, by its name."""
    return {
        f"{case.name}{' with history' * history}": asdict(
            score_place(model, ground, case, history=history)
        )
        for case in cases
        for history in (False, True)
    }


def _mean_auc(scores: dict[str, dict[str, float | None]]) -> float:
    return known_mean([score["auc"] for score in scores.values()]) or 0.0


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def known_mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are known; None where none is."""
    known = [value for value in values if value is not None and not np.isnan(value)]
    return float(np.mean(known)) if known else None


def summary_line(entry: dict[str, Any]) -> str:
    """The means over cases of a journal entry, for people."""
    parts = [f"step {entry['step']} {entry['seconds']:.0f} s"]
    parts += [f"{name} {entry[name]:.4f}" for name in ("change", "look")]
    for wanted in (False, True):
        chosen = [v for k, v in entry["scores"].items() if k.endswith(" with history") == wanted]
        means = {
            key: known_mean([score[key] for score in chosen])
            for key in ("auc", "area", "brier", "look")
        }
        text = " ".join(f"{key} {v:.3f}" for key, v in means.items() if v is not None)
        parts.append(f"[{'history' if wanted else 'alone'}: {text}]")
    return " ".join(parts)


def _schedule(step: int, config: ForecastTraining, spent: float) -> float:
    """Linear warm-up, then a cosine, by steps or by the share of the time that is spent."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    through = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    through = min(1.0, max(through, spent))
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * through))
