"""`landcast evaluate` on a series store: whole places, year by year, beside the rules to beat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.outputs import Progress
from app.place_forecaster import place_forecaster
from forecast.evaluation.bootstrap import RESAMPLES
from forecast.evaluation.record import as_record
from forecast.evaluation.results import Section
from forecast.evaluation.series import PlaceForecast, SeriesCase, all_series_statistics
from forecast.evaluation.series.examples import PlaceExample
from forecast.evaluation.series.forecaster import forecaster_method
from forecast.evaluation.series.masks import mask_cases
from forecast.evaluation.series.methods import CaseMethod, rule_methods
from forecast.evaluation.series.page import series_page
from forecast.evaluation.series.places import cases_of, place_of, places_to_score
from forecast.evaluation.series.scoring import by_split, score_cases, series_sections
from forecast.evaluation.series.table import summary_tables
from forecast.pretrained import DEFAULT_MODEL, weights_sha256
from preprocessing.errors import RequestError
from preprocessing.files import strict, write_text
from preprocessing.series import SeriesStore

__all__ = ["evaluate_series"]

_OURS = "landcast"
_SIDE_PX = 512
_PARTS, _TRAINING_PARTS = 2, 6


def evaluate_series(
    model: str | None,
    store: SeriesStore,
    out: Path,
    *,
    splits: Sequence[str],
    members: int,
    against: Sequence[str] = (),
    masks: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Score a forecaster on whole places beside the rules to beat.

    From the middle date of each place of three dates and more to about 1, 3, 7 and 10 years on; of
    large places the middle 512 px.

    Args:
        model: Shipped name or model folder.
        store: Series.
        out: Folder for `scores.json`, `report.md` and `report.html`.
        splits: Those of the places that are scored.
        members: Members of the ensemble.
        against: Further forecasters.
        masks: Folder with masks drawn by people, see `mask_cases`; scored beside the series.
        seed: Of noise, ties, bootstrap and the choice of parts of places.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        RequestError: No place has three dates, or a model or mask cannot be read.
    """
    names = places_to_score(store, splits=splits, parts=_PARTS, seed=seed)
    if not names:
        raise RequestError(
            f"expected places of three dates and more in {store.location}, splits "
            f"{', '.join(splits)}, found none; prepare series of more dates"
        )
    forecasters = [(_OURS, model), *((Path(other).name, other) for other in against)]
    methods = [
        *(
            forecaster_method(name, place_forecaster(folder, members=members, seed=seed))
            for name, folder in forecasters
        ),
        *_rules(store, seed=seed),
    ]
    cases = list(cases_of(store, names, starts=1, side_px=_SIDE_PX))
    if masks is not None:
        allowed = {n for n, label in store.labels.items() if label.split in splits}
        drawn = mask_cases(store, masks, side_px=_SIDE_PX)
        cases += [case for case in drawn if case.place in allowed]
    statistics = all_series_statistics(seed=seed)
    watcher = _Watcher(len(cases), progress)
    sums = score_cases(cases, methods, statistics, watch=watcher)
    split = {place_of(case.place): case.past.split for case in cases}
    whole = series_sections(by_split(sums, split), statistics, seed=seed, resamples=RESAMPLES)
    places = series_sections(sums, statistics, seed=seed, resamples=1)
    settings = {
        "model": str(model or DEFAULT_MODEL),
        "model_sha256": weights_sha256(model),
        "against": {name: weights_sha256(name) for name in against},
        "store": store.location,
        "splits": list(splits),
        "cases": len(cases),
        "members": members,
        "masks": None if masks is None else masks.name,
        "seed": seed,
        "bootstrap": {"resamples": RESAMPLES, "level": 0.95, "units": "places"},
    }
    return _write(out, settings, whole, places, list(watcher.examples.values()))


def _rules(store: SeriesStore, *, seed: int) -> list[CaseMethod]:
    """The rules, with probabilities learnt on the training places of the store."""
    names = places_to_score(store, splits=("train",), parts=_TRAINING_PARTS, seed=seed)
    return rule_methods(list(cases_of(store, names)))


@dataclass
class _Watcher:
    """Tells of progress and keeps an example of each place."""

    total: int
    progress: Progress | None

    def __post_init__(self) -> None:
        self.examples: dict[str, PlaceExample] = {}
        self._done = 0

    def __call__(self, case: SeriesCase, forecasts: Mapping[str, PlaceForecast]) -> None:
        example = PlaceExample.of(case, forecasts[_OURS])
        if example is not None:
            self.examples[place_of(case.place)] = example
        self._done += 1
        if self.progress is not None:
            self.progress("scoring", self._done, self.total)


def _write(
    out: Path,
    settings: dict[str, Any],
    whole: list[Section],
    places: list[Section],
    examples: list[PlaceExample],
) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    record = {**settings, "splits_scored": as_record(whole), "places_scored": as_record(places)}
    write_text(out / "scores.json", json.dumps(strict(record), indent=1, allow_nan=False))
    title = f"{settings['model']} on whole places"
    write_text(out / "report.html", series_page(title, whole, places, examples, settings))
    return write_text(
        out / "report.md",
        f"# {title}\n\n{settings['cases']} forecasts of whole places, {settings['members']} "
        "members. Every score by place and horizon, with intervals: `report.html`, "
        f"`scores.json`.\n\n{summary_tables(whole)}\n",
    )
