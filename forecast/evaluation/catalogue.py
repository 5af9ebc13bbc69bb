"""The scores by name: what they are called, in what unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SCORES", "ScoreInfo", "shown"]

_LEVELS = 255.0


@dataclass(frozen=True)
class ScoreInfo:
    """How a score is shown.

    Attributes:
        title: Short name.
        better: `lower` or `higher`; `neither` where a target is aimed at or it describes.
        factor: What the value is multiplied with where it is shown (255: grey levels).
        digits: Decimals shown.
        unit: Unit as shown.
    """

    title: str
    better: Literal["lower", "higher", "neither"] = "lower"
    factor: float = 1.0
    digits: int = 3
    unit: str = ""


def _levels(title: str, better: Literal["lower", "neither"] = "lower") -> ScoreInfo:
    return ScoreInfo(title, better, _LEVELS, 2, "grey levels")


SCORES: dict[str, ScoreInfo] = {
    "crps": _levels("CRPS"),
    "crps_changed": _levels("CRPS, changed"),
    "crps_unchanged": _levels("CRPS, unchanged"),
    "energy": _levels("energy score"),
    "rmse": _levels("RMSE"),
    "rmse_changed": _levels("RMSE, changed"),
    "rmse_unchanged": _levels("RMSE, unchanged"),
    "rmse_fair": _levels("RMSE, fair"),
    "rmse_fair_changed": _levels("RMSE, fair, changed"),
    "rmse_fair_unchanged": _levels("RMSE, fair, unchanged"),
    "mae": _levels("MAE"),
    "mae_changed": _levels("MAE, changed"),
    "mae_unchanged": _levels("MAE, unchanged"),
    "bias": _levels("bias", "neither"),
    "bias_changed": _levels("bias, changed", "neither"),
    "bias_unchanged": _levels("bias, unchanged", "neither"),
    "spread_skill": ScoreInfo("spread-skill", "neither", digits=2),
    "spread_skill_changed": ScoreInfo("spread-skill, changed", "neither", digits=2),
    "spread_skill_unchanged": ScoreInfo("spread-skill, unchanged", "neither", digits=2),
    "rank_deviation": ScoreInfo("rank deviation"),
    "rank_deviation_changed": ScoreInfo("rank deviation, changed", "neither"),
    "rank_deviation_unchanged": ScoreInfo("rank deviation, unchanged", "neither"),
    "outlier_excess": ScoreInfo("outliers beyond expected", "neither"),
    "outlier_excess_changed": ScoreInfo("outliers beyond expected, changed", "neither"),
    "outlier_excess_unchanged": ScoreInfo("outliers beyond expected, unchanged", "neither"),
    "brier": ScoreInfo("Brier"),
    "brier_fair": ScoreInfo("Brier, fair"),
    "brier_reliability": ScoreInfo("Brier: reliability"),
    "brier_resolution": ScoreInfo("Brier: resolution", "higher"),
    "change_share": ScoreInfo("share changed", "neither"),
    "change_share_forecast": ScoreInfo("share changed, forecast", "neither"),
    "null_resolution_px": ScoreInfo("null resolution", "neither", digits=0, unit="px"),
    "ssim": ScoreInfo("SSIM", "higher"),
    "ssim_changed": ScoreInfo("SSIM, changed", "higher"),
    "ssim_unchanged": ScoreInfo("SSIM, unchanged", "higher"),
    "spectral_distance_db": ScoreInfo("spectral distance", digits=2, unit="dB"),
    "spectral_bias_db": ScoreInfo("fine texture", "neither", digits=2, unit="dB"),
    "vgg16_distance": ScoreInfo("perceptual distance (VGG16)", digits=4),
    "gabor_distance": ScoreInfo("Gabor (perceptual stand-in)", digits=4),
    "pixels": ScoreInfo("pixels", "neither", digits=0),
    "harm_mean": ScoreInfo("RMSE of the mean over nothing changes"),
    "harm_representative": ScoreInfo("RMSE of the representative member over nothing changes"),
    "harm_share": ScoreInfo("share of cases harmed", digits=2),
    "rmse_persistence": _levels("RMSE of nothing changes", "neither"),
    "lasting_auc": ScoreInfo("AUC", "higher"),
    "lasting_brier": ScoreInfo("Brier", digits=4),
    "lasting_brier_skill": ScoreInfo("Brier skill", "higher"),
    "lasting_reliability": ScoreInfo("distance from reliable", digits=4),
    "lasting_share": ScoreInfo("share changed lastingly", "neither"),
    "lasting_share_forecast": ScoreInfo("share expected", "neither"),
    "area_ratio": ScoreInfo("expected over true area", "neither", digits=2),
    "lasting_merit": ScoreInfo("Figure of Merit", "higher"),
    "lasting_merit_random": ScoreInfo("Figure of Merit, random", "neither"),
    "seen_crps": _levels("CRPS"),
    "seen_skill": ScoreInfo("CRPS skill over dressed persistence", "higher"),
    "seen_spread_skill": ScoreInfo("spread-skill", "neither", digits=2),
    "seen_rank_deviation": ScoreInfo("rank deviation"),
    "detail": ScoreInfo("detail kept", "neither", digits=2),
    "flicker": ScoreInfo("flicker"),
    "novel": ScoreInfo("colours the region has not", "neither", digits=4),
    "novel_truth": ScoreInfo("the same of the truth", "neither", digits=4),
}


def shown(name: str, value: float, *, sign: bool = False) -> str:
    """A score's value as text: its unit's factor, its digits, `-` where not known."""
    info = SCORES[name]
    if value != value:
        return "-"
    if value in (float("inf"), float("-inf")):
        return "never"
    return f"{value * info.factor:{'+' if sign else ''}.{info.digits}f}"
