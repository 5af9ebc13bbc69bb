"""The look of the HTML reports: one page that needs nothing beside it and runs no script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["figure", "html_page", "table"]

_STYLE = """
:root{--ink:#22272b;--soft:#68727a;--line:#dfe3e6;--paper:#fbfbf9;--card:#fff;--good:#2f9e6e}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:18px;margin:40px 0 12px}
p{margin:4px 0 12px;color:var(--soft);max-width:75ch}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:20px 0}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:14px 16px;margin:0}
.card b{display:block;font-size:24px;font-weight:600}.card span{color:var(--soft);font-size:13px}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:16px}
figcaption{color:var(--soft);font-size:13px;margin-top:6px;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);
vertical-align:top}
th{color:var(--soft);font-weight:500;font-size:13px}.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}td.source{overflow-wrap:anywhere;min-width:180px}
.wide{width:50%}.bar{height:14px;border-radius:2px}
.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:7px}
.scroll{overflow-x:auto}svg{width:100%;height:auto;display:block}
svg text{font-size:11px;fill:#68727a}.grid{stroke:#dfe3e6;fill:none}
.ray{stroke:#3668c4;stroke-opacity:.35}.dot{fill:#3668c4;fill-opacity:.75}
.before{fill:#d6455d;fill-opacity:.6}.after{fill:#2f9e6e;fill-opacity:.6}
.median{stroke:#22272b;stroke-width:1.5}
.panels{display:grid;grid-template-columns:repeat(3,1fr);gap:10px}
polyline{fill:none;stroke-width:1.6}polyline.old{stroke-dasharray:3 3;stroke-opacity:.8}
polyline.past{stroke-width:1.2}
.maps{display:flex;flex-wrap:wrap;gap:14px;align-items:flex-end}
.maps figure{max-width:460px;min-width:200px;flex:0 1 auto}.maps figcaption{max-width:240px}
.two svg{max-height:300px}
img.map{image-rendering:pixelated;display:block;border:1px solid var(--line)}
img.sheet{max-width:100%;height:auto;display:block}
.keys span{margin-right:16px;font-size:13px;white-space:nowrap}
details>summary{cursor:pointer;color:var(--soft);margin:8px 0}
.warn{color:#a8323f}
"""


def html_page(title: str, parts: Iterable[str], *, style: str = "") -> str:
    """A whole document.

    Args:
        title: Of the browser's tab, plain text.
        parts: Pieces of HTML, one after the other; empty ones are left out.
        style: Further CSS.

    Returns:
        An HTML document that asks nothing of the network.
    """
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}{style}</style></head><body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )


def figure(content: str, caption: str = "") -> str:
    """A card with a piece of HTML and a caption, plain text."""
    text = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{content}{text}</figure>"


def table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells; all columns but the first are numbers.

    Args:
        titles: Of the columns; plain text.
        rows: Cells as HTML.
    """
    head = "".join(
        f"<th{' class=n' if i else ''}>{html.escape(html.unescape(t))}</th>"
        for i, t in enumerate(titles)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td class={'n' if i else 'row'}>{cell}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"
