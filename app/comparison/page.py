"""The comparison as one HTML page: figures, table, crops, how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image as Pictures

from app.comparison.scores import METRICS
from app.comparison.summary import RANKED, Scores, Summary
from forecast.evaluation.scores.bootstrap import LEAST_UNITS, RESAMPLES
from preprocessing.report.charts import picture
from preprocessing.report.html_page import Cell, html_page
from preprocessing.running.counted import counted

__all__ = ["comparison_page"]

_TEMPLATE = Path(__file__).parent / "comparison.html"
_NOTES = (
    "Every method gets the same degraded image. Methods that do not enlarge act after bicubic x4, "
    "or before what enlarges, as the column says.",
    "Scores are against the original, 4 pixels off the edges. The perceptual distance is a "
    "stand-in of Gabor filters where no weights of VGG16 are given, not to be compared with LPIPS "
    "numbers.",
    f"Square brackets are 95 % intervals of {RESAMPLES} bootstrap resamples of the images; fewer "
    f"than {LEAST_UNITS} give none. Better and worse than bicubic stand only where the interval of "
    "the paired difference excludes zero. Images of one place are alike: then the intervals are "
    "too narrow. About one in twenty differences without a cause will stand out.",
    "PSNR and SSIM reward blur, the perceptual distance rewards texture: read them together.",
    "Methods marked * change brightness or colour on purpose: their scores say how far they are "
    "from the original, not whether they look good.",
    "Times are of this machine and run, over pixels of the result, enlarging included.",
)


def comparison_page(
    scores: Scores,
    summaries: Sequence[Summary],
    *,
    curves: Pictures.Image | None,
    crops: Sequence[Pictures.Image],
    left_out: Mapping[str, str],
    settings: Mapping[str, Any],
) -> str:
    """Draw the report; the page asks nothing of the network and runs no script.

    Args:
        scores: What was measured.
        summaries: See `summarise`.
        curves: The figure of `curves_figure`, if any.
        crops: The figures of `crops_sheet`.
        left_out: Methods that were not run, and why.
        settings: Shown at the end.
    """
    levels = list(dict.fromkeys(s.level for s in summaries))
    return html_page(
        _TEMPLATE,
        "Restoration of degraded images",
        counts=(
            counted(len(scores.images), "image"),
            counted(len(scores.methods), "method"),
            counted(len(scores.levels), "degradation"),
        ),
        few=LEAST_UNITS if len(scores.images) < LEAST_UNITS else None,
        left_out=left_out,
        curves=picture(curves, "scores by JPEG quality", css="chart") if curves else None,
        tables=[
            (level, _level(scores, [s for s in summaries if s.level == level])) for level in levels
        ],
        crops=[picture(crop, "crops of every method", kind="JPEG", css="chart") for crop in crops],
        notes=_NOTES,
        settings=settings,
    )


def _level(
    scores: Scores, summaries: Sequence[Summary]
) -> tuple[tuple[str, ...], list[tuple[str | Cell, ...]]]:
    methods = {method.name: method for method in scores.methods}
    columns = [info.title for info in METRICS.values()]
    titles = ("method", "acts", *columns, "mean rank", "s per megapixel")
    rows: list[tuple[str | Cell, ...]] = []
    for summary in summaries:
        method = methods[summary.method]
        cells = [
            Cell(
                info.shown(summary.scores[name].value),
                info.bounds(summary.scores[name]),
                summary.verdict(name),
            )
            for name, info in METRICS.items()
        ]
        ranks = " / ".join(f"{summary.ranks[name].value:.1f}" for name in RANKED)
        name = method.name + (" *" if method.retones else "")
        rows.append((name, method.stage, *cells, ranks, f"{summary.seconds_per_megapixel:.2f}"))
    return titles, rows
