"""A picture of what was kept and what was dropped, to judge the filters by eye."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from preprocessing.pairs.store import TILE_PX
from preprocessing.report.counts import Example
from preprocessing.tiles.filters import Reason

__all__ = ["contact_sheet"]

_COLUMNS, _KEPT_ROWS = 6, 3
_GAP = 6
_LABEL = 18
_PAPER = (250, 250, 248)
_INK = (40, 40, 40)


def contact_sheet(examples: Sequence[Example], counts: dict[str, int]) -> Image.Image:
    """Draw past and future side by side, grouped by what became of the pair.

    Args:
        examples: Tile pairs; at most one row a reason is drawn, three rows of kept ones, spread
            evenly over what is given.
        counts: Tiles by reason, for the headings.
    """
    groups: list[tuple[Reason, list[Example]]] = []
    for reason in Reason:
        found = [example for example in examples if example.reason is reason]
        most = _COLUMNS * (_KEPT_ROWS if reason is Reason.KEPT else 1)
        if len(found) > most:
            found = [found[i] for i in np.linspace(0, len(found) - 1, most).round().astype(int)]
        if found:
            groups.append((reason, found))
    cell_width = 2 * TILE_PX + 2 + 2 * _GAP
    cell_height = TILE_PX + _GAP + _LABEL
    rows = sum(-(-len(found) // _COLUMNS) for _, found in groups)
    size = (
        _COLUMNS * cell_width + _GAP,
        rows * cell_height + len(groups) * (_LABEL + _GAP) + _LABEL + 2 * _GAP,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), "left: past    right: future, colours matched", fill=_INK)
    y = _LABEL + _GAP
    for reason, found in groups:
        draw.text((_GAP, y), f"{reason.value}: {counts.get(reason.value, 0)} tiles", fill=_INK)
        y += _LABEL
        for start in range(0, len(found), _COLUMNS):
            for place, example in enumerate(found[start : start + _COLUMNS]):
                x = _GAP + place * cell_width
                sheet.paste(_image(example.past), (x, y))
                sheet.paste(_image(example.future), (x + TILE_PX + 2, y))
                draw.text((x, y + TILE_PX + 1), example.source[-44:], fill=_INK)
            y += cell_height
        y += _GAP
    return sheet


def _image(tile: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Image.Image:
    """Larger chips are shown smaller."""
    image = Image.fromarray(np.ascontiguousarray(tile.transpose(1, 2, 0)))
    return image if image.width == TILE_PX else image.resize((TILE_PX, TILE_PX))
