"""Training of the ESRGAN: a PSNR phase with growing depth, then a relativistic GAN phase."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from preprocessing.errors import RequestError
from preprocessing.files import refuse_occupied
from preprocessing.precision import autocast
from preprocessing.prefetch import prefetched, processes_for
from sr.checkpoints import (
    export,
    read_checkpoint,
    save_checkpoint,
    save_half,
)
from sr.discriminator import PatchDiscriminator
from sr.losses import discriminator_loss, feature_matching_loss, generator_loss
from sr.pretrained import PSNR_FOLDER
from sr.recipe import SRTrainingConfig
from sr.rrdb import RRDBNet, grow
from sr.samples import Images, draw_batch, read_images, spread
from sr.texture_features import TextureFeatures, load_texture_features
from sr.validation import validate
from sr.vgg19 import VGG19Features, load_vgg19

__all__ = ["LOG", "train_sr"]

LOG = "log.jsonl"
_logger = logging.getLogger(__name__)
_BETAS = (0.9, 0.99)
_M = TypeVar("_M", bound=nn.Module)


def train_sr(
    stores: Sequence[str | Path],
    out: Path,
    config: SRTrainingConfig,
    *,
    resume: bool,
    progress: Callable[[int, int], None] | None = None,
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
        progress: Called with (steps done, steps in all) after every step.

    Returns:
        The final network in float32.

    Raises:
        OutputExistsError: `out` holds anything and `resume` is False.
        RequestError: There is no checkpoint to resume, it was made with another recipe, or the
            recipe's VGG19 weights cannot be read.
        PairStoreError: No tiles to train or validate on.
    """
    out = Path(out)
    if not resume:
        refuse_occupied(out, "continue a training run with --resume")
    images = read_images(stores, "train")
    held_out = spread(read_images(stores, "val"), config.validation_tiles)
    out.mkdir(parents=True, exist_ok=True)
    run = _Run.load(out, config) if resume else _Run(config)
    before = _keep_log(out, run.step)
    _logger.info("%d training tiles, %d for validation", len(images), len(held_out))

    def draw(step: int) -> Tensor:
        return draw_batch(
            images,
            batch_size=config.batch_size,
            crop_px=config.crop_px * 4,
            seed=config.seed,
            step=step,
        )

    clock = time.monotonic()
    for batch in prefetched(
        draw, range(run.step, config.total_steps), processes=processes_for(run.device)
    ):
        run.prepare(out)
        losses = run.advance(batch)
        done = run.step
        last = done in (config.psnr_steps, config.total_steps)
        if done % config.validate_every == 0 or last:
            seconds = round(before + time.monotonic() - clock, 2)
            _report(out, run, losses, held_out, seconds)
        if done % config.checkpoint_every == 0 or last:
            save_checkpoint(out, run.state())
        if progress is not None:
            progress(done, config.total_steps)
    return export(out, out)


class _Run:
    """The changing state of one training run."""

    def __init__(self, config: SRTrainingConfig) -> None:
        self.config = config
        self.step = 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.judge: VGG19Features | TextureFeatures | None = None
        if config.vgg_weights and config.gan_steps:
            self.judge = self._place(load_vgg19(config.vgg_weights))
        elif config.stand_in == "texture" and config.gan_steps:
            self.judge = self._place(load_texture_features())
        self._start(config.depths[0])
        self.critic: PatchDiscriminator | None = None

    def _start(self, num_blocks: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            self.network = self._place(self.config.build(num_blocks)).train()
        self.ema = self._place(self.config.build(num_blocks)).requires_grad_(False).eval()
        self.ema.load_state_dict(self.network.state_dict())
        self.optimizer = self._adam(self.network)

    def _place(self, module: _M) -> _M:
        module.to(self.device)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _adam(self, module: nn.Module) -> torch.optim.AdamW:
        return torch.optim.AdamW(
            module.parameters(),
            lr=self.config.learning_rate,
            betas=_BETAS,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def prepare(self, out: Path) -> None:
        """Grow the network or enter the adversarial phase when the schedule says so."""
        depth = self.config.depth_at(self.step)
        if depth > len(self.network.body):
            _logger.info("step %d: growing to %d blocks", self.step, depth)
            self.network = self._place(self._grown(self.network, depth))
            self.ema = self._place(self._grown(self.ema, depth)).requires_grad_(False)
            self.optimizer = self._adam(self.network)
        if self.step >= self.config.psnr_steps and self.critic is None:
            _logger.info("step %d: adversarial phase", self.step)
            save_half(self.ema, out / PSNR_FOLDER)
            self.network.load_state_dict(self.ema.state_dict())
            self.optimizer = self._adam(self.network)
            self._start_critic()

    def _grown(self, network: RRDBNet, depth: int) -> RRDBNet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed + depth)
            return grow(network, depth)

    def _start_critic(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed + 1)
            self.critic = self._place(PatchDiscriminator())
        self.critic_optimizer = self._adam(self.critic)

    def advance(self, high: Tensor) -> dict[str, float]:
        """Take one step on crops `(b, 3, h, w)` and return its losses."""
        config, step = self.config, self.step
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        low = config.degradation()(high, generator).to(
            self.device, memory_format=torch.channels_last
        )
        high = high.to(self.device, memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(step)
        if self.critic is None:
            losses = self._pixel_step(low, high)
        else:
            losses = self._adversarial_step(self.critic, low, high)
        self._average()
        self.step += 1
        return losses

    def _pixel_step(self, low: Tensor, high: Tensor) -> dict[str, float]:
        with autocast(self.device):
            fake = self.network(low)
        pixel = functional.l1_loss(fake.float(), high)
        self._descend(self.optimizer, self.network, pixel)
        return {"pixel": float(pixel.detach())}

    def _adversarial_step(
        self, critic: PatchDiscriminator, low: Tensor, high: Tensor
    ) -> dict[str, float]:
        config = self.config
        for group in self.critic_optimizer.param_groups:
            group["lr"] = self.optimizer.param_groups[0]["lr"]
        with autocast(self.device):
            fake = self.network(low)
            critic.requires_grad_(False)
            judged, fake_features = critic(fake)
            with torch.no_grad():
                real, real_features = critic(high)
        pixel = functional.l1_loss(fake.float(), high)
        adversarial = generator_loss(real, judged)
        if self.judge is None:
            features = feature_matching_loss(real_features, fake_features)
        else:
            with autocast(self.device):
                features = self.judge.distance(high, fake.float())
        total = (
            config.pixel_weight * pixel
            + config.adversarial_weight * adversarial
            + config.feature_weight * features
        )
        self._descend(self.optimizer, self.network, total)
        critic.requires_grad_(True)
        with autocast(self.device):
            real, _ = critic(high)
            judged, _ = critic(fake.detach())
        loss = discriminator_loss(real, judged)
        self._descend(self.critic_optimizer, critic, loss)
        terms = {
            "pixel": pixel,
            "adversarial": adversarial,
            f"perceptual_{'vgg19' if config.vgg_weights else config.stand_in}": features,
            "critic": loss,
        }
        return {name: float(value.detach()) for name, value in terms.items()}

    def _descend(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(module.parameters(), self.config.clip_norm)
        if torch.isfinite(norm):
            optimizer.step()
        else:
            _logger.warning("step %d: gradient is not finite, update skipped", self.step)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(list(self.ema.parameters()), list(self.network.parameters()), None)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue; batches need no state, they depend on the step alone."""
        return {
            "config": dataclasses.asdict(self.config),
            "step": self.step,
            "num_blocks": len(self.network.body),
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": None if self.critic is None else self.critic.state_dict(),
            "critic_optimizer": None if self.critic is None else self.critic_optimizer.state_dict(),
        }

    @classmethod
    def load(cls, out: Path, config: SRTrainingConfig) -> _Run:
        """The run as its checkpoint left it."""
        state = read_checkpoint(out)
        made_with = SRTrainingConfig(**state["config"])
        if made_with != config:
            changed = [
                field.name
                for field in dataclasses.fields(config)
                if getattr(config, field.name) != getattr(made_with, field.name)
            ]
            raise RequestError(
                f"the checkpoint in {out} was made with another recipe ({', '.join(changed)} "
                "differ); resume with the same recipe or choose another output"
            )
        run = cls(config)
        run.step = state["step"]
        run._start(state["num_blocks"])
        run.network.load_state_dict(state["network"])
        run.ema.load_state_dict(state["ema"])
        run.optimizer.load_state_dict(state["optimizer"])
        if state["critic"] is not None:
            run._start_critic()
            assert run.critic is not None
            run.critic.load_state_dict(state["critic"])
            run.critic_optimizer.load_state_dict(state["critic_optimizer"])
        return run


def _report(
    out: Path, run: _Run, losses: dict[str, float], held_out: Images, seconds: float
) -> None:
    """Validate the averaged network, log the scores and append them to the log."""
    scores = validate(run.ema, held_out)
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
    record = {
        "step": run.step,
        "phase": "psnr" if run.critic is None else "gan",
        "num_blocks": len(run.network.body),
        "seconds": seconds,
        **losses,
        **dataclasses.asdict(scores),
    }
    with (out / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _keep_log(out: Path, step: int) -> float:
    """Drop log lines of steps that will be taken again; return the seconds that led to the rest."""
    path = out / LOG
    if not path.is_file():
        return 0.0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] <= step]
    path.write_text("".join(kept))
    return float(json.loads(kept[-1])["seconds"]) if kept else 0.0
