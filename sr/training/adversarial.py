"""What trainings of ESRGANs share: a network and its average, and a critic in a second phase."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from preprocessing.errors import RequestError
from preprocessing.running.precision import autocast
from sr.network.checkpoints import same_recipe
from sr.network.discriminator import PatchDiscriminator
from sr.training.losses import discriminator_loss

__all__ = ["AdversarialRecipe", "AdversarialRun"]

_BETAS = (0.9, 0.99)
_Network = TypeVar("_Network", bound=nn.Module)
_Recipe = TypeVar("_Recipe", bound="AdversarialRecipe")
_Module = TypeVar("_Module", bound=nn.Module)


@dataclass(frozen=True)
class AdversarialRecipe:
    """What recipes of both phases share.

    Attributes:
        batch_size: Crops a step.
        learning_rate: Peak of the pixel phase; warm-up, then cosine to a hundredth.
        warmup_steps: Linear warm-up.
        clip_norm: Gradients are clipped to this norm.
        ema_decay: Of the exponential moving average of the weights, which is what is kept.
        gan_learning_rate: Of generator and discriminator in the adversarial phase.
        pixel_weight: Weight of the L1 loss in the adversarial phase.
        adversarial_weight: Weight of the relativistic average loss.
        feature_weight: Weight of the perceptual loss.
        seed: Of initialisation and examples.
        checkpoint_every: Steps between checkpoints; a killed run loses at most so many.
        validate_every: Steps between validations.
        validation_tiles: Tiles of the validation split that are used, evenly spread.
    """

    batch_size: int = 8
    learning_rate: float = 5e-4
    warmup_steps: int = 100
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    gan_learning_rate: float = 1e-4
    pixel_weight: float = 1.0
    adversarial_weight: float = 0.005
    feature_weight: float = 0.02
    seed: int = 0
    checkpoint_every: int = 200
    validate_every: int = 500
    validation_tiles: int = 48

    @property
    def problems(self) -> list[str]:
        """What is out of range."""
        found = []
        if self.batch_size < 1 or not 0 <= self.ema_decay < 1:
            found.append("batch_size must be positive, ema_decay lie in 0..1")
        if min(self.learning_rate, self.gan_learning_rate, self.clip_norm) <= 0:
            found.append("learning rates and clip_norm must be positive")
        if min(self.pixel_weight, self.adversarial_weight, self.feature_weight) < 0:
            found.append("weights of losses must not be negative")
        if min(self.checkpoint_every, self.validate_every, self.validation_tiles) < 1:
            found.append("intervals and validation_tiles must be positive")
        return found

    def warm(self, since: int) -> float:
        """Factor on the learning rate `since` steps after a phase began, 0..1."""
        return min(1.0, (since + 1) / self.warmup_steps) if self.warmup_steps else 1.0


class AdversarialRun(Generic[_Recipe, _Network]):
    """The changing state of one training run.

    Learning rates are set before every step (`set_rate`).

    Args:
        config: The recipe.
        identity: Of what besides the recipe decides the weights.
        device: Where it trains.

    Attributes:
        step: Steps done.
        seconds: Time they took.
        network: What is trained; `start` comes first.
        ema: Its average, which is what is kept.
        critic: The discriminator, None before the adversarial phase.
    """

    weight_decay = 0.0
    network: _Network
    ema: _Network

    def __init__(self, config: _Recipe, identity: str, device: torch.device) -> None:
        self.config, self.identity, self.device = config, identity, device
        self.step, self.seconds = 0, 0.0
        self.critic: PatchDiscriminator | None = None

    def start(self, network: _Network, average: _Network) -> None:
        """Begin with a network; `average`, another one of its shape, takes its weights."""
        self.network = self.place(network).train()
        self.ema = self.place(average).requires_grad_(False).eval()
        self.ema.load_state_dict(self.network.state_dict())
        self.optimizer = self.adam(self.network)

    def start_critic(self) -> None:
        """Begin with a critic."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed + 1)
            self.critic = self.place(PatchDiscriminator())
        self.critic_optimizer = self.adam(self.critic)

    def begin_adversarial(self) -> None:
        """Go on from the averaged weights, with a critic."""
        self.network.load_state_dict(self.ema.state_dict())
        self.optimizer = self.adam(self.network)
        self.start_critic()

    def place(self, module: _Module) -> _Module:
        """A module on the device, channels last."""
        module.to(self.device)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def adam(self, module: nn.Module) -> torch.optim.AdamW:
        """The optimiser of a module."""
        return torch.optim.AdamW(
            module.parameters(), lr=0.0, betas=_BETAS, weight_decay=self.weight_decay, fused=True
        )

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step, of network and critic."""
        optimizers = [self.optimizer, *([] if self.critic is None else [self.critic_optimizer])]
        for group in (group for each in optimizers for group in each.param_groups):
            group["lr"] = rate

    def gradient(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> Tensor:
        """Take the clipped gradient of a loss; returns its norm before."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return nn.utils.clip_grad_norm_(module.parameters(), self.config.clip_norm)

    def descend(self, optimizer: torch.optim.Optimizer, module: nn.Module, loss: Tensor) -> None:
        """Take a step."""
        self.gradient(optimizer, module, loss)
        optimizer.step()

    def train_critic(self, critic: PatchDiscriminator, real: Tensor, fake: Tensor) -> Tensor:
        """Take a step of the critic on pictures `(b, 3, h, w)`; returns its loss."""
        critic.requires_grad_(True)
        with autocast(self.device):
            true, _ = critic(real)
            judged, _ = critic(fake.detach())
        loss = discriminator_loss(true, judged)
        self.descend(self.critic_optimizer, critic, loss)
        return loss

    def average(self) -> None:
        """Take the network into its average, and count the step."""
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(list(self.ema.parameters()), list(self.network.parameters()), None)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """Everything needed to continue; batches need no state, they depend on the step alone."""
        return {
            "config": dataclasses.asdict(self.config),
            "identity": self.identity,
            "step": self.step,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "critic": None if self.critic is None else self.critic.state_dict(),
            "critic_optimizer": None if self.critic is None else self.critic_optimizer.state_dict(),
        }

    def check(self, state: dict[str, Any], out: Path) -> None:
        """Refuse to continue another run.

        Raises:
            RequestError: The checkpoint in `out` is of another recipe or identity.
        """
        same_recipe(state, self.config, out)
        if state["identity"] != self.identity:
            raise RequestError(
                f"the checkpoint in {out} was made from other pairs or another --init; resume with "
                "the same ones or choose another output"
            )

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where a checkpoint was written, with a network of its shape."""
        self.step, self.seconds = state["step"], state["seconds"]
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state["critic"] is not None:
            self.start_critic()
            assert self.critic is not None
            self.critic.load_state_dict(state["critic"])
            self.critic_optimizer.load_state_dict(state["critic_optimizer"])
