"""The scores as numbers for machines, and who is better as a short table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.results import ALL, Section

__all__ = ["as_record", "verdicts"]


def as_record(sections: Sequence[Section]) -> dict[str, Any]:
    """All numbers as JSON values; NaN and infinity are left to the writer.

    Returns:
        `scores`: {dataset: {method: {score: value}}} over all horizons; `sections`: every
        dataset and horizon with intervals `[value, low, high]`, differences, skills, verdicts
        and curves. Units of 0..1 throughout.
    """
    whole = [section for section in sections if section.horizon == ALL]
    return {
        "scores": {
            section.dataset: {
                method.method: {name: _short(e.value) for name, e in method.scores.items()}
                for method in section.methods
            }
            for section in whole
        },
        "sections": [_section(section) for section in sections],
    }


def verdicts(sections: Sequence[Section]) -> str:
    """The CRPS against every other method with its interval, as a Markdown table."""
    lines = [
        "| dataset | against | CRPS difference | 95 % interval | skill | verdict |",
        "|---|---|---|---|---|---|",
    ]
    info = SCORES["crps"]
    for section in sections:
        if section.horizon == ALL:
            for comparison in section.comparisons:
                gap, skill = (x.get("crps") for x in (comparison.difference, comparison.skill))
                values = "- |  | -"  # No pair with a valid pixel.
                if gap is not None and skill is not None:
                    values = (
                        f"{info.shown(gap.value, sign=True)} | {info.bounds(gap)} | "
                        f"{'-' if skill.value != skill.value else f'{100 * skill.value:+.1f} %'}"
                    )
                lines.append(
                    f"| {section.dataset} | {comparison.against} | {values} | "
                    f"{comparison.verdict('crps')} |"
                )
    return "\n".join(lines)


def _section(section: Section) -> dict[str, Any]:
    return {
        "dataset": section.dataset,
        "horizon_years": section.horizon,
        "pairs": section.pairs,
        "units": section.units,
        "methods": {
            method.method: {
                "pairs": method.pairs,
                "scores": {name: e.rounded for name, e in method.scores.items()},
                "curves": {n: [_short(v) for v in c] for n, c in method.curves.items()},
            }
            for method in section.methods
        },
        "comparisons": {
            comparison.against: {
                "pairs": comparison.pairs,
                "difference": {n: e.rounded for n, e in comparison.difference.items()},
                "skill": {n: e.rounded for n, e in comparison.skill.items()},
                "verdict": {n: v for n in comparison.difference if (v := comparison.verdict(n))},
            }
            for comparison in section.comparisons
        },
    }


def _short(value: float) -> float:
    """Six digits: more are noise, and the file is read by people too."""
    return float(f"{value:.6g}")
