"""Skill by horizon in plain text."""

from __future__ import annotations

from collections.abc import Sequence

from forecast.hindcast.by_horizon import HorizonSkill, longest_better
from preprocessing.running.counted import counted

__all__ = ["MEANINGS", "TITLES", "hindcast_table", "reach", "row_of", "two_digits"]

TITLES = (
    "years ahead",
    "starts",
    "AUC",
    "changed before",
    "texture",
    "expected",
    "changed",
    "expected / changed",
    "Brier skill",
    "RMSE / nothing changes",
    "CRPS skill",
    "better in",
)
MEANINGS = (
    "AUC: chance that the probability ranks a cell that changed lastingly above one that did not; "
    "0.5 is guessing, as is saying that nothing changes. Beside it the same of two rules: where "
    "the ground changed before, and where it is rough.",
    "Expected, changed: share of the cells that were expected to change lastingly, and that did.",
    "Brier skill: 1 less the mean square error of the probability over that of nothing changes "
    "(probability 0). Above 0 the map tells more than that.",
    "RMSE / nothing changes: error of the mean of all futures over that of the picture of the "
    "start. Below 1 the mean is the better picture.",
    "CRPS skill: of what a sensor would see, over nothing changes plus the noise that suits the "
    "very picture best. Above 0 the ensemble is the better forecast.",
    "Better in: where forecasts beat nothing changes in the mean and from more than half of the "
    "starts.",
)


def hindcast_table(skills: Sequence[HorizonSkill]) -> str:
    """A table for people, and the sentence of `reach` below it."""
    rows = [TITLES, *(row_of(skill) for skill in skills)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" * len(TITLES) + "|")
    return "\n".join([*lines, "", reach(skills)])


def row_of(skill: HorizonSkill) -> tuple[str, ...]:
    """The values of `TITLES`."""
    return (
        str(skill.horizon),
        str(skill.starts),
        *(two_digits(value) for value in (skill.auc, skill.auc_before, skill.auc_texture)),
        f"{skill.expected:.1%}",
        f"{skill.changed:.1%}",
        two_digits(skill.area_ratio),
        two_digits(skill.brier_skill),
        two_digits(skill.harm),
        two_digits(skill.crps_skill),
        ", ".join(skill.better) or "nothing",
    )


def reach(skills: Sequence[HorizonSkill]) -> str:
    """How far ahead anything was better than nothing changes, in a sentence."""
    longest, furthest = longest_better(skills), skills[-1].horizon
    if longest is None:
        return (
            'On this place\'s past nothing better than "nothing changes" was shown at any horizon '
            f"up to {counted(furthest, 'year')}."
        )
    beyond = (
        "longer horizons were not tried"
        if longest == furthest
        else f"beyond, up to {furthest} years, nothing was"
    )
    return (
        'On this place\'s past something better than "nothing changes" was shown up to '
        f"{counted(longest, 'year')} ahead; {beyond}."
    )


def two_digits(value: float | None) -> str:
    """A score as text; a dash where it is not known."""
    return "-" if value is None else f"{round(value, 2) + 0:.2f}"  # No -0.00.
