"""The scores by name: what they are called, in what unit, and which way is better."""

from __future__ import annotations

from typing import Literal

from preprocessing.quality.scores import ScoreInfo

__all__ = ["SCORES"]

_LEVELS = 255.0


def _levels(title: str, better: Literal["lower", "neither"] = "lower") -> ScoreInfo:
    return ScoreInfo(title, better, _LEVELS, 2)


SCORES: dict[str, ScoreInfo] = {
    "harm_mean": ScoreInfo("RMSE of the mean over nothing changes"),
    "harm_representative": ScoreInfo("RMSE of the representative member over nothing changes"),
    "harm_share": ScoreInfo("share of cases harmed", digits=2),
    "rmse": _levels("RMSE of the mean"),
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
    "crps": _levels("CRPS"),
    "crps_skill": ScoreInfo("CRPS skill over dressed persistence", "higher"),
    "spread_skill": ScoreInfo("spread-skill", "neither", digits=2),
    "rank_deviation": ScoreInfo("rank deviation"),
    "vgg16_distance": ScoreInfo("perceptual distance (VGG16)", digits=4),
    "gabor_distance": ScoreInfo("Gabor (perceptual stand-in)", digits=4),
    "detail": ScoreInfo("detail kept", "neither", digits=2),
    "flicker": ScoreInfo("flicker"),
    "novel": ScoreInfo("colours the region has not", "neither", digits=4),
    "novel_truth": ScoreInfo("the same of the truth", "neither", digits=4),
}
