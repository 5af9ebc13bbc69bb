"""The questions a report of scores asks, in the order in which they matter."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["PLACE_PARTS", "Part", "pair_parts"]


class Part(NamedTuple):
    """A question of the report.

    Attributes:
        title: The question.
        meaning: What its scores say, in a sentence or two.
        scores: Names of its scores.
        figure: What is drawn of them, if anything.
    """

    title: str
    meaning: str
    scores: tuple[str, ...]
    figure: Literal["harm", "reliability", "ranks"] | None = None


PLACE_PARTS = (
    Part(
        "Does it do harm?",
        "Errors of the forecast over those of saying that nothing changes. Above 1, looking at the "
        "present picture is the better forecast.",
        ("harm_mean", "harm_representative", "harm_share", "rmse_persistence"),
        "harm",
    ),
    Part(
        "Does it know where the ground changes lastingly?",
        "Ground has changed lastingly if it looks in no later image as in any earlier one. AUC: "
        "chance that a changed cell ranks above an unchanged one, 0.5 is guessing. Brier skill: "
        "above 0 beats knowing the true share, but not the places. Expected over true area: 1 is "
        "as much as there is.",
        (
            "lasting_auc",
            "lasting_brier_skill",
            "lasting_reliability",
            "area_ratio",
            "lasting_share",
            "lasting_merit",
            "lasting_merit_random",
        ),
        "reliability",
    ),
    Part(
        "Is what was seen later a likely draw?",
        "The image of the target date, in the colours of the start, against the members. Skill is "
        "over persistence with the noise that suits the very same image best, a high bar. "
        "Spread-skill is 1 and the rank histogram flat where the ensemble is calibrated.",
        ("crps_skill", "crps", "spread_skill", "rank_deviation"),
        "ranks",
    ),
    Part(
        "Would a viewer believe the pictures?",
        "Detail: contrast within cells of 4 pixels, 1 keeps that of the present. Flicker: change "
        "that is gone a year later. Colours: share of cells far from every colour of the region, "
        "beside that of the true image.",
        ("detail", "flicker", "novel", "novel_truth"),
    ),
)


def pair_parts(perceptual: str) -> tuple[Part, ...]:
    """Questions of a report of pairs; `perceptual` names the score of the perceptual distance."""
    return (
        Part(
            "Is what was seen later a likely draw?",
            "The later picture against the members, straight to its date. Spread-skill is 1 and "
            "the rank histogram flat where the ensemble is calibrated.",
            ("crps", "rmse", "spread_skill", "rank_deviation"),
            "ranks",
        ),
        PLACE_PARTS[0],
        Part(
            "Does it look like what was seen?",
            "Distance of members and later picture in the features of a perceptual network, or of "
            "Gabor filters in its stead, whose numbers compare with no others.",
            (perceptual,),
        ),
    )
