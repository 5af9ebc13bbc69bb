"""Training of the ESRGAN: a PSNR phase with growing depth, then a relativistic GAN phase."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from preprocessing.errors import ModelFolderError, RequestError
from preprocessing.running.files import refuse_occupied
from preprocessing.running.journal import LOG, Journal
from preprocessing.running.prefetch import prefetched, processes_for
from preprocessing.running.pretrained import read_pretrained
from preprocessing.running.progress import Steps, untold
from sr.network.checkpoints import read_checkpoint, save_checkpoint, save_half
from sr.network.interpolation import blend
from sr.network.pretrained import PSNR_FOLDER, load_network
from sr.network.rrdb import RRDBNet
from sr.training.recipe import SRTrainingConfig
from sr.training.run import SRRun
from sr.training.samples import Images, draw_batch, read_images, spread
from sr.training.validation import validate

__all__ = ["LOG", "train_sr"]

_logger = logging.getLogger(__name__)


def train_sr(
    stores: Sequence[str | Path],
    out: Path,
    config: SRTrainingConfig,
    *,
    resume: bool,
    init: str | Path | None = None,
    progress: Steps = untold,
) -> RRDBNet:
    """Train a network on pair stores and write a model folder.

    The run may be killed at any time; `resume` continues at the last checkpoint with the same
    result, bit by bit, as a run that was never interrupted (same machine and thread count).

    Args:
        stores: Pair stores; past and future tiles both serve as high-resolution images.
        out: Gets `checkpoint.pt`, `log.jsonl`, `psnr/` (the network before the adversarial
            phase) and at the end the model itself (`config.json`, safetensors in float16), which
            `load_network` blends with the one in `psnr/`.
        config: The recipe.
        resume: Continue from the checkpoint in `out`.
        init: Start from the PSNR network of this model, which has as many blocks as the recipe ends
            with; the stages before the last are left out.
        progress: Called with (steps done, steps in all) after every step.

    Returns:
        The final network in float32.

    Raises:
        OutputExistsError: `out` holds anything and `resume` is False.
        RequestError: There is no checkpoint to resume, it was made with another recipe, other
            pairs or another `init`, the recipe's VGG19 weights cannot be read, or `init` does not
            fit.
        PairStoreError: No tiles to train or validate on.
        DivergedError: Fifty steps on end had no finite gradient.
    """
    out = Path(out)
    if not resume:
        refuse_occupied(out, "continue a training run with --resume")
    images = read_images(stores, "train")
    held_out = spread(read_images(stores, "val"), config.validation_tiles)
    parent = None if init is None else _parent(init, config)
    if parent is not None:
        config = dataclasses.replace(
            config, depths=config.depths[-1:], depth_steps=config.depth_steps[-1:]
        )
    identity = _identity(images, parent)
    run = SRRun.load(out, config, identity) if resume else SRRun(config, identity)
    if parent is not None and not resume:
        run.begin(parent)
    out.mkdir(parents=True, exist_ok=True)
    journal = Journal(out, run.step)
    _logger.info("%d training tiles, %d for validation", len(images), len(held_out))

    def draw(step: int) -> Tensor:
        return draw_batch(
            images,
            batch_size=config.batch_size,
            crop_px=config.crop_px * 4,
            seed=config.seed,
            step=step,
        )

    started = time.monotonic() - run.seconds
    for batch in prefetched(
        draw, range(run.step, config.total_steps), processes=processes_for(run.device)
    ):
        run.prepare(out)
        losses = run.advance(batch)
        done, run.seconds = run.step, time.monotonic() - started
        last = done in (config.psnr_steps, config.total_steps)
        if done % config.validate_every == 0 or last:
            journal.write(_report(run, losses, held_out))
        if done % config.checkpoint_every == 0 or last:
            save_checkpoint(out, run.state())
        progress(done, config.total_steps)
    return _export(out, config)


def _parent(init: str | Path, config: SRTrainingConfig) -> RRDBNet:
    """The PSNR network of a model, or the model itself where it is no pair."""
    cpu = torch.device("cpu")
    try:
        network = load_network(init, alpha=0.0, device=cpu)
    except ModelFolderError:  # It is no pair, or cannot be read at all.
        network = load_network(init, device=cpu)
    wanted = config.build().state_dict()
    given = network.state_dict()
    if {k: v.shape for k, v in given.items()} != {k: v.shape for k, v in wanted.items()}:
        raise RequestError(
            f"expected a model of {config.depths[-1]} blocks for --init, as the recipe ends with, "
            f"got {len(network.body)} in {init}; name another model or recipe"
        )
    return network


def _export(out: Path, config: SRTrainingConfig) -> RRDBNet:
    """Write the averaged weights of the last checkpoint; after an adversarial phase as a pair.

    Then the folder holds the adversarial network, and in `psnr/` the one it started from, which
    `load_network` blends. Returns the network, of a pair the blend.
    """
    state = read_checkpoint(out)
    share = config.alpha if config.gan_steps else None
    network = config.build(state["num_blocks"], alpha=share)
    network.load_state_dict(state["ema"])
    save_half(network, out)
    if share is None:
        return network
    psnr: RRDBNet = read_pretrained(
        RRDBNet,
        out / PSNR_FOLDER,
        expected="the PSNR network of a training run",
        advice="train it again",
    )
    return blend(psnr, network, share)


def _identity(images: Images, parent: RRDBNet | None) -> str:
    """SHA-256 of what besides the recipe decides the weights: pairs and start."""
    digest = hashlib.sha256("\n".join(images.index.source.tolist()).encode())
    digest.update(images.index.checksums().tobytes())
    for name, value in () if parent is None else sorted(parent.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _report(run: SRRun, losses: dict[str, float], held_out: Images) -> dict[str, Any]:
    """Validate the averaged network on what the recipe makes of tiles; log the scores."""
    scores = validate(
        run.ema,
        held_out,
        run.config.degradation(),
        seed=run.config.seed,
        judge=None if run.critic is None else run.judge,
    )
    _logger.info(
        "step %d, %d blocks: model %.3f dB, bicubic %.3f dB, sharpness %.2f (bicubic %.2f), %s",
        run.step,
        len(run.network.body),
        scores.model_psnr_db,
        scores.bicubic_psnr_db,
        scores.model_gradient_ratio,
        scores.bicubic_gradient_ratio,
        ", ".join(f"{name} {value:.4f}" for name, value in losses.items()),
    )
    return {
        "step": run.step,
        "phase": "psnr" if run.critic is None else "gan",
        "num_blocks": len(run.network.body),
        "seconds": round(run.seconds, 2),
        **losses,
        **dataclasses.asdict(scores),
    }
