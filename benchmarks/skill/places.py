"""Every place of a series store, its rules to beat and, when asked for, a model: one table.

    python -m benchmarks.skill.places SERIES.zarr --rules --out docs/places.md
    python -m benchmarks.skill.places SERIES.zarr --model base --members 6 --out docs/places.md

Rules only take minutes. `--worlds 12` adds new built-up ground in made worlds, where what spreads
is known. `score_place` scores any probability of change and any ensemble.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.forecasts.place_forecaster import place_forecaster
from benchmarks.skill.world_cases import world_case
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.cases.masks import mask_cases
from forecast.evaluation.cases.places import cases_of, place_of, places_to_score
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.forecaster import PlaceForecaster, forecaster_method
from forecast.evaluation.methods.history import with_dates
from forecast.evaluation.methods.method import CaseMethod, rule_methods
from forecast.evaluation.methods.rules import RULES
from forecast.evaluation.reports.table import summary_tables
from forecast.evaluation.scores.bootstrap import RESAMPLES
from forecast.evaluation.scores.parts import PLACE_PARTS
from forecast.evaluation.scores.roc import area_under_curve
from forecast.evaluation.scores.statistic import Array
from forecast.evaluation.scoring import (
    by_split,
    place_sections,
    place_statistics,
    score_case,
    score_cases,
    scores_of,
)
from preprocessing.running.files import write_text
from preprocessing.series import SeriesStore
from preprocessing.simulator import WorldConfig, simulate_world

_SIDE_PX = 512
_WORLD_SEED = 9000
_SHORT = {
    "changed before": "changed before",
    "texture": "texture",
    "climatology": "climatology",
    "linear trend": "trend",
}


class Row(NamedTuple):
    """What one row of the table is about; parts of one place are one row."""

    place: str
    split: str
    start: int
    years: int
    kind: str


def score_place(cases: Iterable[SeriesCase], method: CaseMethod) -> dict[str, float]:
    """Scores of one method over some cases of a place, each counting alike."""
    total: dict[str, Array] = {}
    for case in cases:
        forecast = method.forecast(case)
        if forecast is not None:
            for name, row in score_case(forecast, case).items():
                total[name] = total.get(name, 0) + row
    return scores_of(total) if total else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", metavar="SERIES.zarr")
    parser.add_argument("--rules", action="store_true", help="rules only, no model")
    parser.add_argument("--model", action="append", default=[], help="shipped name or folder")
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--masks", type=Path, help="folder of masks drawn by people, PLACE.png")
    parser.add_argument("--parts", type=int, default=8, help="of a place in many parts")
    parser.add_argument("--starts", type=int, default=3, help="starts a place")
    parser.add_argument("--worlds", type=int, default=0, help="made worlds, five seconds each")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    if options.rules == bool(options.model):
        parser.error("expected --rules or --model MODEL, one of them")

    began = time.monotonic()
    store = SeriesStore.open(options.store)
    names = places_to_score(store, splits=("train", "val"), parts=options.parts)
    side = _SIDE_PX if options.model else None
    cases = list(cases_of(store, names, starts=options.starts, side_px=side))
    if options.masks is not None:
        cases += mask_cases(store, options.masks, side_px=side)
    forecasters = {
        Path(m).name: place_forecaster(m, members=options.members, seed=1) for m in options.model
    }
    ours = [forecaster_method(name, forecaster) for name, forecaster in forecasters.items()]
    methods = [*ours, *rule_methods(cases)]
    rows: dict[Row, dict[str, dict[str, Array]]] = defaultdict(dict)
    shares: dict[Row, list[float]] = defaultdict(list)

    def note(case: SeriesCase, forecasts: dict[str, PlaceForecast]) -> None:
        row = row_of(case)
        print(*row, f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if case.known.any():
            shares[row].append(float(case.event[case.known].mean()))
        for name, forecast in forecasts.items():
            for statistic, sums in score_case(forecast, case, statistics[1:2]).items():
                known = rows[row].setdefault(name, {})
                known[statistic] = known.get(statistic, 0) + sums

    statistics = place_statistics()
    sums = score_cases(cases, methods, statistics, watch=note)
    table = place_table(rows, shares, [m.name for m in ours])
    split = {place_of(case.place): case.past.split for case in cases}
    whole = place_sections(by_split(sums, split), statistics, seed=0, resamples=RESAMPLES)
    summary = summary_tables(whole, PLACE_PARTS)
    if options.worlds:
        summary += f"\n\n{worlds_table(options.worlds, forecasters)}"
    text = page(table, summary, len(cases), options)
    print(text)
    print(f"{time.monotonic() - began:.0f} s")
    if options.out is not None:
        write_text(options.out, text)


def row_of(case: SeriesCase) -> Row:
    kind = "mask" if case.later_dates == 0 else "one date" if case.later_dates == 1 else ""
    return Row(place_of(case.place), case.past.split, int(case.start), round(case.years), kind)


def place_table(
    rows: dict[Row, dict[str, dict[str, Array]]],
    shares: dict[Row, list[float]],
    ours: Sequence[str],
) -> str:
    """One row a place, start and horizon: share changed and AUC by method."""
    columns = {**{name: name for name in ours}, **_SHORT}
    lines = [
        f"| place | split | from | changed | {' | '.join(columns.values())} |",
        "|---" * (4 + len(columns)) + "|",
    ]
    marks = {"": "", "one date": " ¹", "mask": " ²"}
    statistics = place_statistics()[1:2]
    for row, found in sorted(rows.items()):
        cells = []
        for name in columns:
            scores = scores_of(found[name], statistics) if name in found else {}
            auc = scores.get("lasting_auc", np.nan)
            cells.append("-" if np.isnan(auc) else f"{auc:.2f}")
        lines.append(
            f"| {row.place}{marks[row.kind]} | {row.split} | {row.start} +{row.years} | "
            f"{100 * np.mean(shares[row]):.1f} % | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def worlds_table(count: int, forecasters: dict[str, PlaceForecaster]) -> str:
    """AUC of new built-up ground four years on, mean over worlds, by rule and model."""
    found: dict[str, list[float]] = defaultdict(list)
    methods = [
        method
        for name, forecaster in forecasters.items()
        for method in (
            with_dates(f"{name}, one image", forecaster, 1),
            forecaster_method(f"{name}, nine dates", forecaster),
        )
    ]
    for seed in range(_WORLD_SEED, _WORLD_SEED + count):
        world = simulate_world(WorldConfig(seed=seed, width=384, height=384, years=13))
        case = world_case(world, start=8, target=12)
        rankings = {name: rule(case) for name, rule in RULES.items()}
        for method in methods:
            forecast = method.forecast(case)
            rankings[method.name] = None if forecast is None else forecast.ranking
        for name, ranking in rankings.items():
            if ranking is not None:
                auc = area_under_curve(case.event[case.known], ranking[case.known])
                found[name].append(auc)
    lines = [
        "## New built-up ground in made worlds",
        "",
        f"Four years on, in {count} worlds of 384 px that no model was trained on; the truth is "
        "the cover. AUC, mean over worlds and its standard error.",
        "",
        "| method | AUC | worlds |",
        "|---|---|---|",
    ]
    for name, values in found.items():
        known = np.array([value for value in values if value == value])
        if known.size:
            error = known.std(ddof=1) / np.sqrt(known.size) if known.size > 1 else np.nan
            lines.append(f"| {name} | {known.mean():.2f} ± {error:.2f} | {known.size} |")
    return "\n".join(lines)


def page(table: str, summary: str, cases: int, options: argparse.Namespace) -> str:
    what = "--rules" if options.rules else " ".join(f"--model {m}" for m in options.model)
    masks = " --masks MASKS" if options.masks else ""
    masks += f" --worlds {options.worlds}" if options.worlds else ""
    masks += f" --starts {options.starts} --parts {options.parts}"
    starts = "one start each" if options.starts == 1 else f"up to {options.starts} starts each"
    return f"""# Every place and the rules to beat

Made by `python -m benchmarks.skill.places SERIES.zarr {what}{masks}`: {cases} forecasts of places
of three dates and more, from {starts}; of places in many parts at most
{options.parts} of them, chosen at random. What the scores mean is told in
[`evaluation.md`](evaluation.md).

## AUC of lasting change, place by place

*changed*: share of cells that changed lastingly between start and target. A dash: fewer than five
cells changed, or the place has no earlier date.

{table}

¹ One later date only: what swings with the season counts as change too.
² The truth is a mask of what was built, drawn by people.

{summary}
"""


if __name__ == "__main__":
    main()
