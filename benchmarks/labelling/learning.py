"""Fitting the classifier of series on examples, and its calibration on others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize
from torch.nn import functional

from benchmarks.labelling.examples import Example
from preprocessing.lasting_change.classifier import ChangeClassifier

__all__ = ["Fitting", "calibrate_classifier", "logits_of", "train_classifier"]


@dataclass(frozen=True)
class Fitting:
    """How a classifier is fitted.

    Attributes:
        passes: Times every example is seen.
        batch: Examples of a step; all of one size.
        learning_rate: Highest rate of the one-cycle schedule (Smith and Topin 2019).
        width: Channels of the network.
        seed: Of weights and order.
    """

    passes: int = 6
    batch: int = 8
    learning_rate: float = 3e-3
    width: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.passes, self.batch, self.width) < 1 or self.learning_rate <= 0:
            raise ValueError(f"expected numbers above 0, got {self}")


def train_classifier(examples: Sequence[Example], fitting: Fitting) -> ChangeClassifier:
    """Minimise the cross entropy over known cells, by AdamW, with flips and turns.

    Args:
        examples: Of one size.
        fitting: How.
    """
    torch.manual_seed(fitting.seed)
    order = np.random.default_rng(fitting.seed)
    inputs = np.stack([example.features for example in examples])
    targets = np.stack([example.changed for example in examples])
    known = np.stack([example.known for example in examples])
    mean = inputs.mean(axis=(0, 2, 3), dtype=np.float64)
    deviation = inputs.std(axis=(0, 2, 3), dtype=np.float64) + 0.05
    network: ChangeClassifier = ChangeClassifier(
        features=inputs.shape[1],
        width=fitting.width,
        mean=tuple(mean.round(4).tolist()),
        deviation=tuple(deviation.round(4).tolist()),
    )
    rate, batches = fitting.learning_rate, -(-len(examples) // fitting.batch)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=fitting.passes * batches, pct_start=0.1
    )
    for _ in range(fitting.passes):
        for chosen in np.array_split(order.permutation(len(examples)), batches):
            turn = int(order.integers(8))
            x, y, seen = (_turned(a[chosen], turn) for a in (inputs, targets, known))
            loss = functional.binary_cross_entropy_with_logits(
                network(x, seen), y.to(x.dtype), reduction="none"
            )
            loss = (loss * seen).sum() / seen.sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    network.eval()
    network.requires_grad_(False)
    return network


def calibrate_classifier(
    network: ChangeClassifier, logits: NDArray[np.float32], changed: NDArray[np.bool_]
) -> None:
    """Set temperature and offset to the likeliest on examples that training did not see.

    Args:
        network: Changed in place.
        logits: `(n,)` of `logits_of`.
        changed: `(n,)` the truth.
    """
    signs = np.where(changed, 1.0, -1.0)

    def surprise(parameters: NDArray[np.float64]) -> float:
        scaled = logits * np.exp(-parameters[0]) + parameters[1]
        return float(np.logaddexp(0, -signs * scaled).mean())

    found = optimize.minimize(surprise, np.zeros(2), method="Nelder-Mead")
    network.register_to_config(
        temperature=round(float(np.exp(found.x[0])), 4), offset=round(float(found.x[1]), 4)
    )


@torch.no_grad()
def logits_of(network: ChangeClassifier, example: Example) -> NDArray[np.float32]:
    """Logits `(n,)` of the known cells of an example, before calibration."""
    features = torch.from_numpy(example.features)[None].float()
    logits = network(features, torch.from_numpy(example.known)[None])[0].numpy()
    return np.asarray(logits[example.known], np.float32)


def _turned(batch: NDArray[np.generic], turn: int) -> torch.Tensor:
    """One of the eight symmetries of the square."""
    turned = np.rot90(batch, turn % 4, axes=(-2, -1))
    turned = turned[..., ::-1] if turn >= 4 else turned
    found = torch.from_numpy(np.ascontiguousarray(turned))
    return found.float() if batch.dtype != np.bool_ else found
