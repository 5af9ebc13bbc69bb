"""Scores as short Markdown tables, one a question."""

from __future__ import annotations

from collections.abc import Sequence

from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.parts import Part
from forecast.evaluation.scores.results import ALL, Section

__all__ = ["summary_tables"]


def summary_tables(groups: Sequence[Section], parts: Sequence[Part]) -> str:
    """All methods over all horizons, by question and split or dataset, with intervals."""
    blocks = []
    for part in parts:
        titles = " | ".join(SCORES[name].title for name in part.scores)
        lines = [
            f"## {part.title}",
            "",
            part.meaning,
            "",
            f"| places | method | {titles} |",
            "|---" * (len(part.scores) + 2) + "|",
        ]
        for section in groups:
            if section.horizon != ALL:
                continue
            for method in section.methods:
                values = [method.scores[name] for name in part.scores]
                if all(value.value != value.value for value in values):
                    continue
                cells = " | ".join(
                    f"{SCORES[name].shown(value.value)} {SCORES[name].bounds(value)}".strip()
                    for name, value in zip(part.scores, values, strict=True)
                )
                label = f"{section.dataset} ({section.units})"
                lines.append(f"| {label} | {method.method} | {cells} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
