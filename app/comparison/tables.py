"""The numbers of a comparison as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from app.comparison.request import level_name
from app.comparison.scores import METRICS
from app.comparison.summary import RANKED, Scores, Summary

__all__ = ["as_csv", "as_markdown", "as_record"]


def as_csv(scores: Scores) -> str:
    """One row for each image, level and method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "height", "width", "jpeg_quality", "method", *METRICS, "seconds"])
    writer.writerows(_rows(scores))
    return text.getvalue()


def _rows(scores: Scores) -> Iterator[list[Any]]:
    for i, (image, size) in enumerate(zip(scores.images, scores.sizes, strict=True)):
        for j, level in enumerate(scores.levels):
            for m, method in enumerate(scores.methods):
                values = [f"{value:.6g}" for value in scores.values[i, j, m]]
                seconds = f"{scores.seconds[i, j, m]:.4g}"
                quality = "" if level is None else level
                yield [image, *size, quality, method.name, *values, seconds]


def as_record(scores: Scores, summaries: Sequence[Summary]) -> dict[str, Any]:
    """Methods and summaries as plain values."""
    return {
        "images": list(scores.images),
        "levels": [level_name(level) for level in scores.levels],
        "methods": [
            {"name": m.name, "stage": m.stage, "retones": m.retones} for m in scores.methods
        ],
        "summaries": [
            {**asdict(s), "verdicts": {n: s.verdict(n) for n in METRICS}} for s in summaries
        ],
    }


def as_markdown(scores: Scores, summaries: Sequence[Summary]) -> str:
    """The summaries of the first level (all levels together) as a table."""
    stages = {method.name: method.stage for method in scores.methods}
    columns = [info.title for info in METRICS.values()]
    titles = ["method", "acts", *columns, "mean ranks", "s per megapixel"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for summary in summaries:
        if summary.level != summaries[0].level:
            continue
        cells = [summary.method, stages[summary.method]]
        for name, info in METRICS.items():
            score = summary.scores[name]
            parts = (info.shown(score.value), info.bounds(score), summary.verdict(name))
            cells.append(" ".join(filter(None, parts)))
        cells.append(" / ".join(f"{summary.ranks[name].value:.1f}" for name in RANKED))
        cells.append(f"{summary.seconds_per_megapixel:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
