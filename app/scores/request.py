"""What `landcast evaluate` is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.pairs.arrays import SPLITS

__all__ = ["EvaluationRequest"]


@dataclass(frozen=True)
class EvaluationRequest:
    """A model, what it is scored on, and beside what.

    Attributes:
        model: Shipped name (`base`, `rrdb16`) or model folder of a forecaster or an upscaler.
        stores: One series store, or pair stores.
        out: Folder for `scores.json`, `report.md`, `report.html` and, of an upscaler, `tiles.csv`.
        split: Split that is scored. Default: `val` of pairs, `train` and `val` of series, apart.
        members: Members of each ensemble.
        pairs: Score at most about this many pairs, evenly over the datasets. Default: 4096.
        against: Further forecasters, scored on the same cases with the same noise.
        seed: Of the choice of cases, noise, ties, bootstrap and examples.
        perceptual_weights: Weights of VGG16 for the perceptual distance; a stand-in where None.
        alpha: Of an upscaler that is a pair of networks: the share of the adversarial one.
        rasters: Of an upscaler, also write every tile it restored, with maps.
        masks: On series, a folder with masks of change that people drew, see `mask_cases`.
        dates: On series, also score the model with its history cut to so many dates, the start
            among them, and with all of it but not calibrated on the place; each costs as much as
            the model.
        overwrite: Replace earlier scores in `out`.

    Raises:
        RequestError: There is no such split.
    """

    model: str | None
    stores: Sequence[str | Path]
    out: Path
    split: str | None = None
    members: int = 16
    pairs: int | None = None
    against: Sequence[str] = ()
    seed: int = 0
    perceptual_weights: Path | None = None
    alpha: float | None = None
    rasters: bool = False
    masks: Path | None = None
    dates: Sequence[int] = ()
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.split not in (None, *SPLITS):
            raise RequestError(f"expected a --split of {', '.join(SPLITS)}, got {self.split!r}")

    @property
    def most_pairs(self) -> int:
        """How many pairs are scored, at most."""
        return 4096 if self.pairs is None else self.pairs

    @property
    def split_of_pairs(self) -> str:
        """The split of the pairs that are scored."""
        return self.split or "val"

    @property
    def splits_of_places(self) -> tuple[str, ...]:
        """The splits of the places that are scored, each apart."""
        return ("train", "val") if self.split is None else (self.split,)
