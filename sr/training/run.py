"""The changing state of a training of the ESRGAN, and its steps."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.errors import DivergedError
from preprocessing.running.precision import autocast
from sr.network.checkpoints import read_checkpoint, save_half
from sr.network.discriminator import PatchDiscriminator
from sr.network.pretrained import PSNR_FOLDER
from sr.network.rrdb import RRDBNet, grow
from sr.network.texture_features import TextureFeatures, load_texture_features
from sr.network.vgg19 import VGG19Features, load_vgg19
from sr.training.adversarial import AdversarialRun
from sr.training.losses import feature_matching_loss, generator_loss
from sr.training.recipe import SRTrainingConfig

__all__ = ["SRRun"]

_MOST_SKIPPED = 50
_logger = logging.getLogger(__name__)


class SRRun(AdversarialRun[SRTrainingConfig, RRDBNet]):
    """The changing state of one training run, whose network grows."""

    def __init__(self, config: SRTrainingConfig, identity: str) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        super().__init__(config, identity, device)
        self.skipped = 0
        self.weight_decay = config.weight_decay
        self.judge: VGG19Features | TextureFeatures | None = None
        if config.vgg_weights and config.gan_steps:
            self.judge = self.place(load_vgg19(config.vgg_weights))
        elif config.stand_in == "texture" and config.gan_steps:
            self.judge = self.place(load_texture_features())
        self.start_of_depth(config.depths[0])

    def start_of_depth(self, num_blocks: int) -> None:
        """Begin with an untrained network."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            network = self.config.build(num_blocks)
        self.start(network, self.config.build(num_blocks))

    def begin(self, parent: RRDBNet) -> None:
        """Take over the weights of a network of as many blocks."""
        for network in (self.network, self.ema):
            network.load_state_dict(parent.state_dict())

    def prepare(self, out: Path) -> None:
        """Grow the network or enter the adversarial phase when the schedule says so."""
        depth = self.config.depth_at(self.step)
        if depth > len(self.network.body):
            _logger.info("step %d: growing to %d blocks", self.step, depth)
            self.network = self.place(self._grown(self.network, depth))
            self.ema = self.place(self._grown(self.ema, depth)).requires_grad_(False)
            self.optimizer = self.adam(self.network)
        if self.step >= self.config.psnr_steps and self.critic is None:
            _logger.info("step %d: adversarial phase", self.step)
            save_half(self.ema, out / PSNR_FOLDER)
            self.begin_adversarial()

    def _grown(self, network: RRDBNet, depth: int) -> RRDBNet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed + depth)
            return grow(network, depth)

    def advance(self, high: Tensor) -> dict[str, float]:
        """Take one step on crops `(b, 3, h, w)` and return its losses."""
        config, step = self.config, self.step
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        low = config.degradation()(high, generator).to(
            self.device, memory_format=torch.channels_last
        )
        high = high.to(self.device, memory_format=torch.channels_last)
        self.set_rate(config.learning_rate_at(step))
        if self.critic is None:
            losses = self._pixel_step(low, high)
        else:
            losses = self._adversarial_step(self.critic, low, high)
        self.average()
        return losses

    def _pixel_step(self, low: Tensor, high: Tensor) -> dict[str, float]:
        with autocast(self.device):
            fake = self.network(low)
        pixel = functional.l1_loss(fake.float(), high)
        self.descend(self.optimizer, self.network, pixel)
        return {"pixel": float(pixel.detach())}

    def _adversarial_step(
        self, critic: PatchDiscriminator, low: Tensor, high: Tensor
    ) -> dict[str, float]:
        config = self.config
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
        self.descend(self.optimizer, self.network, total)
        loss = self.train_critic(critic, high, fake)
        terms = {
            "pixel": pixel,
            "adversarial": adversarial,
            f"perceptual_{'vgg19' if config.vgg_weights else config.stand_in}": features,
            "critic": loss,
        }
        return {name: float(value.detach()) for name, value in terms.items()}

    def descend(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        """Take a step, unless the gradient is not finite."""
        if torch.isfinite(self.gradient(optimizer, module, loss)):
            optimizer.step()
            self.skipped = 0
            return
        self.skipped += 1
        _logger.warning("step %d: gradient is not finite, update skipped", self.step)
        if self.skipped == _MOST_SKIPPED:
            raise DivergedError(
                f"expected finite gradients, had none in {_MOST_SKIPPED} updates up to step "
                f"{self.step}; lower the learning rate and start anew"
            )

    def state(self) -> dict[str, Any]:
        """Everything needed to continue."""
        return {**super().state(), "num_blocks": len(self.network.body)}

    @classmethod
    def load(cls, out: Path, config: SRTrainingConfig, identity: str) -> SRRun:
        """The run as its checkpoint left it."""
        state = read_checkpoint(out)
        run = cls(config, identity)
        run.check(state, out)
        run.start_of_depth(state["num_blocks"])
        run.restore(state)
        return run
