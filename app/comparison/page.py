"""The comparison as one HTML page: figures, table, crops, how to read it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image as Pictures

from app.comparison.scores import METRICS
from app.comparison.summary import RANKED, Scores, Summary
from app.comparison.tables import interval
from forecast.evaluation.scores.bootstrap import LEAST_UNITS, RESAMPLES
from preprocessing.report.charts import image_source
from preprocessing.report.html_page import figure, html_page, table
from preprocessing.running.counted import counted

__all__ = ["comparison_page"]

_STYLE = """
img.chart{width:100%;height:auto;display:block}
td.n i{font-style:normal;color:var(--soft);font-size:12px;white-space:nowrap}
b.better{color:#1f7a53;font-weight:600}b.worse{color:#a8323f;font-weight:600}
th.n{white-space:normal;vertical-align:bottom}
"""
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
    tables = "".join(
        f"<details{'' if i else ' open'}><summary>{html.escape(level)}</summary>"
        f"{_level(scores, [s for s in summaries if s.level == level])}</details>"
        for i, level in enumerate(levels)
    )
    missing = "".join(
        f"<p class=warn>{html.escape(name)} is left out: {html.escape(reason)}.</p>"
        for name, reason in left_out.items()
    )
    few = (
        f"<p class=warn>Fewer than {LEAST_UNITS} images: no intervals, so no method is called "
        "better or worse.</p>"
        if len(scores.images) < LEAST_UNITS
        else ""
    )
    title = "Restoration of degraded images"
    parts = [
        f"<h1>{title}</h1><p>{counted(len(scores.images), 'image')}, "
        f"{counted(len(scores.methods), 'method')}, "
        f"{counted(len(scores.levels), 'degradation')}.</p>{few}{missing}",
        figure(_picture(curves, "scores by JPEG quality", "PNG")) if curves else "",
        f"<h2>Scores</h2>{figure(tables)}",
        "<h2>Crops</h2>"
        + "".join(figure(_picture(crop, "crops of every method", "JPEG")) for crop in crops),
        "<h2>How to read this</h2><ul>"
        + "".join(f"<li><p>{html.escape(note)}</p></li>" for note in _NOTES)
        + "</ul>",
        "<h2>Settings</h2>"
        + figure(
            table(
                ("setting", "value"),
                [(html.escape(k), html.escape(str(v))) for k, v in settings.items()],
            )
        ),
    ]
    return html_page(title, parts, style=_STYLE)


def _level(scores: Scores, summaries: Sequence[Summary]) -> str:
    methods = {method.name: method for method in scores.methods}
    titles = ("method", "acts", *(m.title for m in METRICS), "mean rank", "s per megapixel")
    rows = []
    for summary in summaries:
        method = methods[summary.method]
        cells = [html.escape(method.name) + (" *" if method.retones else ""), method.stage]
        for metric in METRICS:
            found, verdict = summary.scores[metric.name], summary.verdict(metric)
            word = f"<br><b class={verdict}>{verdict}</b>" if verdict else ""
            text = f"{found.value:.{metric.digits}f}<br><i>{interval(found, metric.digits)}</i>"
            cells.append(text + word)
        cells.append(" / ".join(f"{summary.ranks[name].value:.1f}" for name in RANKED))
        cells.append(f"{summary.seconds_per_megapixel:.2f}")
        rows.append(cells)
    note = "<p>Mean ranks are by SSIM / PSNR / perceptual distance; 1 is the best.</p>"
    return note + table(titles, rows)


def _picture(image: Pictures.Image, alt: str, kind: str) -> str:
    return f"<img class=chart alt='{alt}' src='{image_source(image, kind)}'>"
