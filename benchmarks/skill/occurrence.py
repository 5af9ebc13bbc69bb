"""How log odds of change go with past change and what ground looks like: fitted, tried elsewhere.

    python -m benchmarks.skill.occurrence SERIES.zarr [--model base]

Logistic regression on the training places of a store of series, with one, two, three and all
dates, these alike, places alike; each start has an intercept of its own. Prints the weights of a
model and those found, and the log loss of both on training and on validation places over that of
the share that changed, and the AUC.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, xlogy

from forecast.evaluation.cases.places import place_of, places_to_score
from forecast.evaluation.scores.roc import area_under_curve
from forecast.hindcast.past import Past
from forecast.network.conditions import RULES, Earlier, conditions, rule_columns
from forecast.network.unet import occurrence_columns
from forecast.pretrained import load_model
from forecast.region.region_conditions import ANOMALY_ODDS, anomalies
from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.series import PlaceSeries, SeriesStore

STARTS, CELLS, SHRINKAGE = 9, 6000, 1e-3
ALL = 1000
DATES = (1, 2, 3, ALL)
"""How many of the nearest dates are known, the start among them."""
SHORTEST, LONGEST = 1.5, 10.0


@dataclass(frozen=True)
class Start:
    """Columns `(n, 6)` of cells of a start, which changed, and how many `DATES` are known."""

    place: str
    dates: int
    columns: NDArray[np.float32]
    changed: NDArray[np.bool_]


def starts_of(name: str, series: PlaceSeries) -> Iterator[Start]:
    """Some starts of a place, each a short, a middle and a long while ahead."""
    years, every_date = series.years, DatedCells.of_place(series)
    last = len(years) - 1
    for start in np.unique(np.linspace(0, last - 1, STARTS).round().astype(int)):
        ends = [
            e for e in range(start + 1, last + 1) if SHORTEST <= years[e] - years[start] <= LONGEST
        ]
        seen = every_date.in_colours_of(start)
        every = Past(seen.means / 255, seen.valid, years)
        until = every.until(start)
        rare = anomalies(until.cells[-1], until.known[-1], until.tone())
        known_dates = {
            dates: _nearest(until.earlier(), dates - 1) for dates in DATES if _tells(start, dates)
        }
        for end in sorted({ends[0], ends[len(ends) // 2], ends[-1]} if ends else []):
            changed, known = every.changed(start, end)
            share = changed[known].mean() if known.any() else 0
            if not 20 / known.size < share < 0.6:
                continue
            some = np.flatnonzero(known)
            some = np.random.default_rng(0).choice(some, min(len(some), CELLS), replace=False)
            for dates, earlier in known_dates.items():
                seen_then = conditions(torch.from_numpy(until.cells[-1:]), earlier, until.tone())
                zero = torch.zeros_like(seen_then[:, :1])
                calm = occurrence_columns(zero, seen_then, until.tone(), torch.ones(1))[0, 3]
                told = [rule_columns(seen_then)[0, channel] for channel, _ in RULES]
                columns = (
                    torch.stack([*told, calm, *torch.from_numpy(rare)]).flatten(1).T.numpy()[some]
                )
                yield Start(place_of(name), dates, columns, changed.ravel()[some])


def _tells(start: int, dates: int) -> bool:
    """Whether a start has as many dates, or any before it where all are asked for."""
    return start > 0 if dates == ALL else start >= dates - 1


def _nearest(earlier: Earlier, count: int) -> Earlier:
    """The nearest earlier dates; the oldest are first."""
    rest = slice(max(0, earlier.ago.shape[1] - count), None)
    return Earlier(earlier.cells[:, rest], earlier.known[:, rest], earlier.ago[:, rest])


def losses(weights: NDArray[np.float64], starts: list[Start]) -> float:
    """Mean over places of the log loss over that of the share, with an intercept a start."""
    found = defaultdict(list)
    for one in starts:
        odds, share = one.columns @ weights, one.changed.mean()
        own = brentq(lambda by, odds=odds, share=share: expit(odds + by).mean() - share, -200, 200)
        p = np.clip(expit(odds + own), 1e-6, 1 - 1e-6)
        loss = -np.where(one.changed, np.log(p), np.log1p(-p)).mean()
        found[one.place].append(loss / -(xlogy(share, share) + xlogy(1 - share, 1 - share)))
    return float(np.mean([np.mean(values) for values in found.values()]))


def ranked(weights: NDArray[np.float64], starts: list[Start]) -> float:
    """Mean over places of the AUC."""
    found = defaultdict(list)
    for one in starts:
        found[one.place].append(area_under_curve(one.changed, one.columns @ weights))
    return float(np.mean([np.mean(values) for values in found.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("store", metavar="SERIES.zarr")
    parser.add_argument("--model", default="base")
    options = parser.parse_args()
    store = SeriesStore.open(options.store)
    parts: dict[tuple[str, int], list[Start]] = defaultdict(list)
    for split in ("train", "val"):
        for name in places_to_score(store, splits=(split,), parts=4):
            if store.labels[name].dataset != "worlds":
                for start in starts_of(name, store.place(name)):
                    parts[split, start.dates].append(start)
    model = load_model(options.model).eval().requires_grad_(False)
    slope, _, _, calm, _ = model.calibration.tolist()
    own = np.array(
        [*(slope * float(model.rules.weight[0, c]) for c, _ in RULES), calm, *ANOMALY_ODDS]
    )

    def loss(weights: NDArray[np.float64]) -> float:
        mean = np.mean([losses(weights, parts["train", dates]) for dates in DATES])
        return float(mean) + SHRINKAGE * float((weights**2).sum())

    found = minimize(loss, own, method="L-BFGS-B").x
    print("weights of past change, near and around, of texture, calm, rare and bright ground")
    parts = dict(sorted(parts.items()))
    heads = [f"{split}, {'all' if dates == ALL else dates} dates" for split, dates in parts]
    print(f"| | {' | '.join(heads)} |")
    print("|---" * (1 + len(parts)) + "|")
    for name, weights in ((options.model, own), ("fitted", found)):
        cells = (f"{losses(weights, s):.3f} (AUC {ranked(weights, s):.3f})" for s in parts.values())
        print(f"| {name}: {', '.join(f'{w:.2f}' for w in weights)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
