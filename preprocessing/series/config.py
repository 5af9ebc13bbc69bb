"""Settings of the preparation of series."""

from __future__ import annotations

from dataclasses import dataclass

from preprocessing.pairs.store import SPLITS

__all__ = ["SeriesConfig"]


@dataclass(frozen=True, slots=True)
class SeriesConfig:
    """Settings of the preparation of series.

    Attributes:
        gsd_m: Metres per pixel to resample all dates to; those of the reference if not stated.
        coregister: Estimate and remove the shift between each date and the reference.
        refine: Remove a smooth field of local shifts too, where that brings a gain.
        max_shift_px: Longest shift that is looked for.
        max_residual_px: A date is dropped if a longer shift is left after the best was removed.
        detect_clouds: Mask what looks like a cloud, see `preprocessing.masks.cloud_detection`.
        split: Split of places for which the list states none.
    """

    gsd_m: float | None = None
    coregister: bool = True
    refine: bool = False
    max_shift_px: float = 12.0
    max_residual_px: float = 0.5
    detect_clouds: bool = False
    split: str = "train"

    def __post_init__(self) -> None:
        if self.gsd_m is not None and not 0 < self.gsd_m < float("inf"):
            raise ValueError(f"expected a gsd_m above 0, got {self.gsd_m}")
        if self.split not in SPLITS:
            raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {self.split!r}")
        if not self.max_shift_px >= 1:
            raise ValueError(f"expected a max_shift_px of at least 1, got {self.max_shift_px}")
        if not self.max_residual_px > 0:
            raise ValueError(f"expected a max_residual_px above 0, got {self.max_residual_px}")
        if self.refine and not self.coregister:
            raise ValueError("expected coregister where refine is asked for, got it switched off")
