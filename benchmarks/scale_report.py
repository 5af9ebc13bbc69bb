"""What the scale study writes: scores by extent as JSON, table and figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.evaluation.bootstrap import Estimate
from forecast.evaluation.charts import COLOURS
from forecast.evaluation.results import Section
from preprocessing.files import strict, write_text
from preprocessing.pairs import SPLITS, TILE_PX, PairStore

OURS, PLAIN, DRESSED = "landcast", "persistence", "dressed persistence"

Triple = tuple[float, float, float]
"""A value and the bounds of its 95 % interval, NaN where there is none."""


def write_report(
    settings: Mapping[str, Any],
    found: Mapping[Path, tuple[float, Section]],
    common: Section | None,
    out: Path,
) -> str:
    """Write `scale.json`, `scale.md` and `scale.png`.

    Args:
        settings: Noted in the JSON.
        found: Extent in metres and scores by pair store, rising.
        common: All extents on the cells of the largest, methods named like `76.8 landcast`.
        out: Folder.

    Returns:
        The table.
    """
    rows = [row_of(extent, section, store) for store, (extent, section) in found.items()]
    scored = set() if common is None else {method.method for method in common.methods}
    extents = [row["extent_m"] for row in rows]
    alike = [
        alike_of(common, extent)
        for extent in extents
        if common is not None and f"{extent:g} {OURS}" in scored
    ]
    record = {**settings, "extents": rows, "common_cells": alike}
    write_text(out / "scale.json", json.dumps(strict(record), indent=1, allow_nan=False))
    draw(rows, alike, out / "scale.png")
    text = as_markdown(rows, alike)
    write_text(out / "scale.md", text)
    return text


def row_of(extent_m: float, section: Section, store: Path) -> dict[str, Any]:
    """The scores of one extent; errors in grey levels of 255."""
    methods = {method.method: method.scores for method in section.methods}
    perceptual = next(name for name in methods[OURS] if name.endswith("_distance"))
    split = PairStore(store).column("split")
    skills = {c.against: c.skill["crps"] for c in section.comparisons}
    return {
        "extent_m": extent_m,
        "gsd_m": extent_m / TILE_PX,
        "cell_m": 4 * extent_m / TILE_PX,
        "train_tiles": int((split == SPLITS.index("train")).sum()),
        "val_tiles": section.pairs,
        "places": section.units,
        "crps": {name: triple(scores["crps"], 255) for name, scores in methods.items()},
        "crps_ratio": {name: ratio(skill) for name, skill in skills.items()},
        "perceptual": perceptual,
        "perceptual_distance": {n: triple(scores[perceptual]) for n, scores in methods.items()},
    }


def alike_of(common: Section, extent_m: float) -> dict[str, Any]:
    """The scores of one extent on the cells of the largest, and what it is worse than that by."""
    scores = {method.method: method.scores["crps"] for method in common.methods}
    ours, plain = f"{extent_m:g} {OURS}", f"{extent_m:g} {PLAIN}"
    worse = next((c.difference["crps"] for c in common.comparisons if c.against == ours), None)
    return {
        "extent_m": extent_m,
        "crps": {OURS: triple(scores[ours], 255), PLAIN: triple(scores[plain], 255)},
        # The comparison is of the largest with this one.
        "minus_largest": None
        if worse is None
        else tuple(-255 * value for value in (worse.value, worse.high, worse.low)),
    }


def triple(estimate: Estimate, factor: float = 1.0) -> Triple:
    return (factor * estimate.value, factor * estimate.low, factor * estimate.high)


def ratio(skill: Estimate) -> Triple:
    """Ours over theirs, from 1 minus that."""
    return (1 - skill.value, 1 - skill.high, 1 - skill.low)


def as_markdown(rows: Sequence[dict[str, Any]], alike: Sequence[dict[str, Any]]) -> str:
    perceptual = rows[0]["perceptual"].replace("_", " ")
    lines = [
        "| tile, m | m/px | training tiles | val tiles | CRPS | persistence | dressed "
        f"| CRPS / persistence | CRPS / dressed | {perceptual} | of persistence | of dressed |",
        "|---" * 12 + "|",
    ]
    for row in rows:
        crps, distance = row["crps"], row["perceptual_distance"]
        cells = [
            f"{row['extent_m']:g}",
            f"{row['gsd_m']:g}",
            f"{row['train_tiles']}",
            f"{row['val_tiles']}",
            *(f"{crps[name][0]:.2f}" for name in (OURS, PLAIN, DRESSED)),
            *(shown(row["crps_ratio"][name], 3) for name in (PLAIN, DRESSED)),
            *(shown(distance[name], 3) for name in (OURS, PLAIN, DRESSED)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if alike:
        largest = rows[-1]
        lines += [
            "",
            f"On the same ground, in cells of {largest['cell_m']:g} m:",
            "",
            f"| tile, m | CRPS | persistence | CRPS minus that of {largest['extent_m']:g} m |",
            "|---|---|---|---|",
        ]
        for row in alike:
            gap = "" if row["minus_largest"] is None else shown(row["minus_largest"], 2)
            crps = row["crps"]
            lines.append(
                f"| {row['extent_m']:g} | {crps[OURS][0]:.2f} | {crps[PLAIN][0]:.2f} | {gap} |"
            )
    return "\n".join(lines) + "\n"


def shown(values: Triple, digits: int) -> str:
    value, low, high = (f"{number:.{digits}f}" for number in values)
    return value if low == "nan" else f"{value} [{low}, {high}]"


def draw(rows: Sequence[dict[str, Any]], alike: Sequence[dict[str, Any]], path: Path) -> None:
    """The figure: CRPS, its ratios, perceptual distance."""
    style: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(12, 3.8), layout="constrained", dpi=110)
        absolute, relative, perceptual = figure.subplots(1, 3)
        methods = (OURS, PLAIN, DRESSED)
        for number, name in enumerate(methods):
            line(absolute, rows, ("crps", name), number, name)
            line(perceptual, rows, ("perceptual_distance", name), number, name)
        absolute.set_ylabel("CRPS, grey levels")
        perceptual.set_ylabel(rows[0]["perceptual"].replace("_", " "))
        for number, name in enumerate(methods[1:], start=1):
            line(relative, rows, ("crps_ratio", name), number, name)
        if alike:
            cell = f", in cells of {rows[-1]['cell_m']:g} m"
            line(absolute, alike, ("crps", OURS), 3, OURS + cell)
            line(absolute, alike, ("crps", PLAIN), 4, PLAIN + cell)
        relative.axhline(1, color="#22272b", linewidth=0.8)
        relative.set_ylabel("CRPS of landcast over that of")
        for axes in (absolute, relative, perceptual):
            axes.set_xlabel("side of a tile of 128 px, m")
            axes.set_xticks([row["extent_m"] for row in rows])
            axes.grid(color="#dfe3e6", linewidth=0.6)
            axes.legend(frameon=False, fontsize=8)
        unfinished = path.with_name(f".{path.name}")
        figure.savefig(unfinished, format="png")
        unfinished.rename(path)


def line(
    axes: Axes,
    rows: Sequence[dict[str, Any]],
    key: tuple[str, str],
    number: int,
    label: str,
) -> None:
    x = [row["extent_m"] for row in rows]
    value, low, high = np.array([row[key[0]][key[1]] for row in rows]).T
    axes.plot(x, value, "osD^v"[number], linestyle="-", color=COLOURS[number], label=label)
    axes.vlines(x, low, high, color=COLOURS[number], linewidth=1.5)
