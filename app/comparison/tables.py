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
from forecast.evaluation.scores.bootstrap import Estimate

__all__ = ["as_csv", "as_markdown", "as_record", "interval", "shown"]


def as_csv(scores: Scores) -> str:
    """One row for each image, level and method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [metric.name for metric in METRICS]
    writer.writerow(["image", "height", "width", "jpeg_quality", "method", *names, "seconds"])
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
            {**asdict(s), "verdicts": {m.name: s.verdict(m) for m in METRICS}} for s in summaries
        ],
    }


def as_markdown(scores: Scores, summaries: Sequence[Summary]) -> str:
    """The summaries of the first level (all levels together) as a table."""
    stages = {method.name: method.stage for method in scores.methods}
    titles = ["method", "acts", *(m.title for m in METRICS), "mean ranks", "s per megapixel"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for summary in summaries:
        if summary.level != summaries[0].level:
            continue
        cells = [summary.method, stages[summary.method]]
        for metric in METRICS:
            verdict = summary.verdict(metric)
            text = shown(summary.scores[metric.name], metric.digits)
            cells.append(f"{text} {verdict}".rstrip())
        cells.append(" / ".join(f"{summary.ranks[name].value:.1f}" for name in RANKED))
        cells.append(f"{summary.seconds_per_megapixel:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(estimate: Estimate, digits: int) -> str:
    """A value with its interval, where there is one."""
    return f"{estimate.value:.{digits}f} {interval(estimate, digits)}".rstrip()


def interval(estimate: Estimate, digits: int) -> str:
    """The interval in square brackets, or nothing."""
    if estimate.low != estimate.low:
        return ""
    return f"[{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
