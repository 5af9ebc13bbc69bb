"""Settings of the preparation."""

from __future__ import annotations

from dataclasses import dataclass

from preprocessing.pairs.store import SPLITS, TILE_PX
from preprocessing.radiometry.normalization import RADIOMETRY, Radiometry
from preprocessing.tiles.filters import FilterConfig

__all__ = ["PrepareConfig"]

_MOST_TILE_PX = 1024


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """Settings of the preparation.

    Attributes:
        tile_px: Side of the tiles, 128..1024; networks take 128, larger chips leave room for
            random crops.
        stride: Step between tiles in pixels, 1..`tile_px`; below `tile_px` they overlap.
        gsd_m: Metres per pixel to resample both dates to; those of the earlier one if not stated.
        min_valid: Least share of pixels observed at both dates.
        edge_low: See `FilterConfig`.
        edge_high: See `FilterConfig`.
        max_changed: Dropped from this share of changed values on.
        difference: Difference of unit values that counts as changed.
        fit_bounds: Fit `edge_low`, `edge_high` and `max_changed` to the data's own quantiles.
        detect_clouds: Mask what looks like a cloud, see `preprocessing.masks.clouds.detect_clouds`.
        coregister: Estimate and remove the shift between both dates.
        refine: Remove a smooth field of local shifts too, where that brings a gain.
        max_shift_px: Longest shift that is looked for.
        max_residual_px: Refused if a longer shift is left after the best has been removed.
        radiometry: How the later date gets the earlier one's colours: `histogram` (matched over
            the region), `invariant` (a line through pixels that did not change) or `none`.
        val_share: Share held out for validation: of the places, or, of a single place, a compact
            corner with a strip of 128 px between it and the rest.
        split: Put everything into this split instead.
        seed: Chooses places, corners and examples.
    """

    tile_px: int = TILE_PX
    stride: int = TILE_PX
    gsd_m: float | None = None
    min_valid: float = 0.9
    edge_low: float = 0.01
    edge_high: float = 0.27
    max_changed: float = 0.75
    difference: float = 20 / 255
    fit_bounds: bool = False
    detect_clouds: bool = False
    coregister: bool = True
    refine: bool = False
    max_shift_px: float = 12.0
    max_residual_px: float = 0.5
    radiometry: Radiometry = "histogram"
    val_share: float = 0.0
    split: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {self.split!r}")
        if self.radiometry not in RADIOMETRY:
            raise ValueError(
                f"expected a radiometry of {', '.join(RADIOMETRY)}, got {self.radiometry!r}"
            )
        if not TILE_PX <= self.tile_px <= _MOST_TILE_PX:
            raise ValueError(
                f"expected a tile_px of {TILE_PX} to {_MOST_TILE_PX}, got {self.tile_px}"
            )
        if not 1 <= self.stride <= self.tile_px:
            raise ValueError(f"expected a stride of 1 to {self.tile_px}, got {self.stride}")
        if self.gsd_m is not None and not 0 < self.gsd_m < float("inf"):
            raise ValueError(f"expected a gsd_m above 0, got {self.gsd_m}")
        if not 0 <= self.val_share < 1:
            raise ValueError(f"expected a val_share of 0 to below 1, got {self.val_share}")
        if not self.max_shift_px >= 1:
            raise ValueError(f"expected a max_shift_px of at least 1, got {self.max_shift_px}")
        if not self.max_residual_px > 0:
            raise ValueError(f"expected a max_residual_px above 0, got {self.max_residual_px}")
        if self.refine and not self.coregister:
            raise ValueError("expected coregister where refine is asked for, got it switched off")
        _ = self.filters

    @property
    def filters(self) -> FilterConfig:
        """Bounds of the tile filters."""
        return FilterConfig(
            min_valid=self.min_valid,
            edge_low=self.edge_low,
            edge_high=self.edge_high,
            difference=self.difference,
            max_changed=self.max_changed,
        )
