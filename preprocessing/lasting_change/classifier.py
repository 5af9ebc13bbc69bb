"""A classifier of series: did the ground of a cell change lastingly between two of its dates?"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray
from scipy import special
from torch import Tensor, nn
from torch.nn import functional

from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.lasting_change.features import FEATURES, series_features
from preprocessing.running.pretrained import read_pretrained

__all__ = ["LEAST_DATES", "SHIPPED", "ChangeClassifier"]

SHIPPED = Path(__file__).parent / "weights"
LEAST_DATES = 2
"""Valid dates on either side below which nothing is known."""


class ChangeClassifier(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Residual convolutions over `series_features`.

    It sees dates before and after and no colours: only how a cell differed, beside its neighbours
    and beside what looks like it. Dilations of 1, 2 and 4 cells let it see fields and quarters as
    wholes.

    Args:
        features: Channels of the input.
        width: Channels inside.
        dilations: Dilation of the two convolutions of each block, in cells.
        mean: Means of the features over the training cells.
        deviation: Their standard deviations.
        temperature: Logits are divided by it, fitted on worlds apart (Guo et al. 2017).
        offset: Then this is added.
    """

    @register_to_config  # type: ignore[untyped-decorator]  # diffusers ships no types
    def __init__(
        self,
        features: int = len(FEATURES),
        width: int = 40,
        dilations: tuple[int, ...] = (1, 2, 4, 1),
        mean: tuple[float, ...] = (0.0,) * len(FEATURES),
        deviation: tuple[float, ...] = (1.0,) * len(FEATURES),
        temperature: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.entry = nn.Conv2d(features + 1, width, 1)
        self.first = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in dilations
        )
        self.second = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in dilations)
        self.exit = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor, known: Tensor) -> Tensor:
        """Logits `(b, h, w)`, not calibrated, of features `(b, f, h, w)`.

        Args:
            features: As `series_features` gives them.
            known: `(b, h, w)` bool; other cells enter as zeros.
        """
        mean = features.new_tensor(self.config.mean)[:, None, None]
        deviation = features.new_tensor(self.config.deviation)[:, None, None]
        mask = known[:, None].to(features.dtype)
        x = torch.cat([(features - mean) / deviation * mask, mask], dim=1)
        x = functional.silu(self.entry(x))
        for first, second in zip(self.first, self.second, strict=True):
            x = x + second(functional.silu(first(x)))
        logits: Tensor = self.exit(functional.silu(x))[:, 0]
        return logits

    @torch.no_grad()
    def of_cells(self, before: DatedCells, after: DatedCells) -> NDArray[np.float32]:
        """Calibrated probability that each cell changed lastingly.

        Args:
            before: Dates before, in the colours of the last.
            after: Dates after, in the same colours.

        Returns:
            `(h, w)`, 0..1; NaN where fewer than `LEAST_DATES` valid dates lie on either side.
        """
        known = before.valid.sum(axis=0) >= LEAST_DATES
        known &= after.valid.sum(axis=0) >= LEAST_DATES
        if not known.any():
            return np.full(known.shape, np.nan, np.float32)
        features = torch.from_numpy(series_features(before, after))[None]
        found = self.calibrated(self(features, torch.from_numpy(known)[None])[0].numpy())
        return np.where(known, found, np.nan).astype(np.float32)

    def calibrated(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of logits of `forward`."""
        scaled = logits / self.config.temperature + self.config.offset
        return np.asarray(special.expit(scaled), np.float32)

    @classmethod
    def load(cls, folder: str | Path = SHIPPED) -> ChangeClassifier:
        """The classifier of a folder, by default the shipped one.

        Raises:
            ModelFolderError: The folder does not hold one.
        """
        network = read_pretrained(
            cls,
            folder,
            expected="a classifier of lasting change",
            advice="train one with benchmarks/labelling/lasting_change.py or reinstall landcast",
        )
        network.eval()
        network.requires_grad_(False)
        return network


@lru_cache(maxsize=1)
def shipped_classifier() -> ChangeClassifier:
    """The shipped classifier, read once."""
    network: ChangeClassifier = ChangeClassifier.load()
    return network
