"""Training of the guided network: a pixel phase, then a relativistic GAN phase."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from preprocessing.errors import DivergedError, RequestError
from preprocessing.running.files import refuse_occupied
from preprocessing.running.journal import Journal
from preprocessing.running.precision import autocast
from preprocessing.running.progress import Steps, untold
from sr.lift.network import GuidedRRDBNet, load_guided, save_guided
from sr.lift.recipe import GuidedTrainingConfig
from sr.lift.samples import Example, draw_examples
from sr.lift.validation import validate_guided
from sr.network.checkpoints import read_checkpoint, save_checkpoint
from sr.network.discriminator import PatchDiscriminator
from sr.network.pretrained import PSNR_FOLDER
from sr.network.texture_features import load_texture_features
from sr.training.adversarial import AdversarialRun
from sr.training.losses import generator_loss

__all__ = ["train_guided"]

_logger = logging.getLogger(__name__)
_FEW = 1e-3  # Least share of changed pixels that the loss is divided by.


def train_guided(
    tiles: Tensor,
    held_out: Tensor,
    out: Path,
    config: GuidedTrainingConfig,
    *,
    resume: bool,
    init: str | Path | None = None,
    device: torch.device | None = None,
    progress: Steps = untold,
) -> GuidedRRDBNet:
    """Train a network and write a model folder.

    All tiles lie on the device, and examples are made there. The run may be killed at any time;
    `resume` continues at the last checkpoint.

    Args:
        tiles: `(n, 2, 3, side, side)` uint8: earlier and later date of tiles to learn from.
        held_out: `(m, 2, 3, side, side)` uint8: those to validate on.
        out: Gets `checkpoint.pt`, `log.jsonl`, `psnr/` (the network before the adversarial phase)
            and, at every checkpoint, the averaged network so far: `config.json` and safetensors.
        config: The recipe.
        resume: Continue from the checkpoint in `out`.
        init: Start from the network in this folder, of the recipe's shape.
        device: Where to train; a GPU if there is one.
        progress: Called with (per mille done, 1000) after every step.

    Returns:
        The averaged network in float32.

    Raises:
        OutputExistsError: `out` holds anything and `resume` is False.
        RequestError: There is no checkpoint to resume, or it was made with another recipe,
            other pairs or another `init`; or `init` has another shape than the recipe.
        ModelFolderError: `init` is not the folder of such a network.
        DivergedError: The loss is not finite.
    """
    out = Path(out)
    if not resume:
        refuse_occupied(out, "continue a training run with --resume")
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = _Run(config, _identity(tiles), device, None if init is None else load_guided(init))
    if resume:
        state = read_checkpoint(out)
        run.check(state, out)
        run.restore(state)
    out.mkdir(parents=True, exist_ok=True)
    journal = Journal(out, run.step)
    tiles, held_out = tiles.to(device), held_out.to(device)
    _logger.info("%d training tiles, %d for validation, %s", len(tiles), len(held_out), device)
    started = time.monotonic() - run.seconds
    while run.share < 1:
        if run.critic is None and run.share >= 1 - config.gan_share:
            save_guided(run.ema, out / PSNR_FOLDER)
            run.begin_adversarial()
        losses = run.advance(
            draw_examples(
                tiles,
                config.mixture(),
                batch_size=config.batch_size,
                crop_px=config.crop_px,
                seed=config.seed * 1_000_003 + run.step,
            )
        )
        run.seconds = time.monotonic() - started
        if run.step % config.validate_every == 0 or run.share == 1:
            journal.write(_report(run, losses, held_out))
        if run.step % config.checkpoint_every == 0 or run.share == 1:
            if not all(bool(torch.isfinite(value)) for value in losses.values()):
                raise DivergedError(
                    f"expected finite losses, got {losses} at step {run.step}; lower the learning "
                    "rate and start anew"
                )
            save_checkpoint(out, run.state())
            save_guided(run.ema, out)
        progress(int(1000 * run.share), 1000)
    return run.ema


class _Run(AdversarialRun[GuidedTrainingConfig, GuidedRRDBNet]):
    """The changing state of one training run."""

    def __init__(
        self,
        config: GuidedTrainingConfig,
        identity: str,
        device: torch.device,
        init: GuidedRRDBNet | None,
    ) -> None:
        super().__init__(config, identity, device)
        self.began = 0
        self.captured = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = config.build()
        if init is not None:
            self.identity += _start(network, init)
        self.start(network, config.build())
        self.judge = self.place(load_texture_features())

    @property
    def share(self) -> float:
        """How much of the training is over."""
        return self.config.share_done(self.step, self.seconds)

    def begin_adversarial(self) -> None:
        """Go on from the averaged weights, with a critic."""
        _logger.info("step %d: adversarial phase", self.step)
        super().begin_adversarial()
        self.began = self.step

    def advance(self, example: Example) -> dict[str, Tensor]:
        """Take one step and return its losses, which stay on the device."""
        self.set_rate(self.config.learning_rate_at(self.share, self.step - self.began))
        seen = (example.observed, example.present, example.future)
        if self.device.type == "cuda" and not self.captured:
            self._capture(seen)
        with autocast(self.device):
            fake = self.network(*seen)
        changed = (example.future != example.present).any(dim=1).float().mean()
        pixel = (fake - example.target).abs().mean() / changed.clamp_min(_FEW)
        losses = {"pixel": pixel.detach()}
        if self.critic is None:
            self.descend(self.optimizer, self.network, pixel)
        else:
            losses |= self._adversarial_step(self.critic, pixel, fake, example.target)
        self.average()
        return losses

    def _capture(self, seen: tuple[Tensor, ...]) -> None:
        """Record forward and backward pass as CUDA graphs: 250 small convolutions start slowly."""
        self.captured = True
        if not self.config.cuda_graphs:
            return
        try:
            with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=False):
                torch.cuda.make_graphed_callables(self.network, seen)
        except RuntimeError as err:
            _logger.warning("no CUDA graphs, passes start one kernel at a time: %s", err)
        self.optimizer.zero_grad(set_to_none=True)

    def _adversarial_step(
        self, critic: PatchDiscriminator, pixel: Tensor, fake: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        config = self.config
        fake = fake.contiguous(memory_format=torch.channels_last)
        target = target.contiguous(memory_format=torch.channels_last)
        critic.requires_grad_(False)
        with autocast(self.device):
            judged, _ = critic(fake)
            with torch.no_grad():
                real, _ = critic(target)
            features = self.judge.distance(target, fake)
        adversarial = generator_loss(real, judged)
        total = config.pixel_weight * pixel + config.feature_weight * features
        self.descend(self.optimizer, self.network, total + config.adversarial_weight * adversarial)
        loss = self.train_critic(critic, target, fake)
        terms = {"adversarial": adversarial, "perceptual": features, "critic": loss}
        return {name: value.detach() for name, value in terms.items()}

    def state(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {**super().state(), "began": self.began}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where a checkpoint was written."""
        super().restore(state)
        self.began = state["began"]


def _identity(tiles: Tensor) -> str:
    """SHA-256 of the tiles."""
    return hashlib.sha256(tiles.cpu().contiguous().numpy().tobytes()).hexdigest()


def _start(network: GuidedRRDBNet, init: GuidedRRDBNet) -> str:
    """Copy weights; returns their SHA-256."""
    try:
        network.load_state_dict(init.state_dict())
    except RuntimeError as err:
        raise RequestError(
            f"expected a network of the recipe's shape for --init, got: "
            f"{' '.join(str(err).split())[:200]}; name another recipe or model"
        ) from err
    weights = (value.cpu().contiguous().numpy() for value in init.state_dict().values())
    return hashlib.sha256(b"".join(value.tobytes() for value in weights)).hexdigest()


def _report(run: _Run, losses: dict[str, Tensor], held_out: Tensor) -> dict[str, Any]:
    """Validate the averaged network; log the scores."""
    scores = validate_guided(run.ema, held_out[: run.config.validation_tiles], judge=run.judge)
    values = {name: float(value) for name, value in losses.items()}
    _logger.info(
        "step %d, %.0f s: %s; %s",
        run.step,
        run.seconds,
        ", ".join(f"{name} {value:.4f}" for name, value in values.items()),
        scores,
    )
    return {
        "step": run.step,
        "phase": "psnr" if run.critic is None else "gan",
        "seconds": round(run.seconds, 2),
        **values,
        **dataclasses.asdict(scores),
    }
