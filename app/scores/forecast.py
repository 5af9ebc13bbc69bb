"""`landcast evaluate` of a forecaster, on whole places of a series store or on pairs of tiles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.forecasts.place_forecaster import place_forecaster
from app.scores.history import enough_dates, history_methods
from app.scores.request import EvaluationRequest
from forecast.baselines import DressedPersistence
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.cases.masks import mask_cases
from forecast.evaluation.cases.pairs import pair_baselines, pair_cases, pair_name, tile_forecaster
from forecast.evaluation.cases.places import cases_of, place_of, places_to_score
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.forecaster import forecaster_method
from forecast.evaluation.methods.history import within, without
from forecast.evaluation.methods.method import CaseMethod, rule_methods
from forecast.evaluation.reports.examples import PlaceExample
from forecast.evaluation.reports.page import PAIR_NOTES, PLACE_NOTES, scores_page
from forecast.evaluation.reports.record import as_record, verdicts
from forecast.evaluation.reports.table import summary_tables
from forecast.evaluation.scores.bootstrap import RESAMPLES
from forecast.evaluation.scores.parts import PLACE_PARTS, Part, pair_parts
from forecast.evaluation.scores.resampling import resampling_units
from forecast.evaluation.scores.results import Section, sections
from forecast.evaluation.scoring import (
    by_split,
    pair_statistics,
    place_sections,
    place_statistics,
    score_cases,
)
from forecast.hindcast.observations import ObservationModels
from forecast.pretrained import DEFAULT_MODEL, load_model, model_folder, weights_sha256
from forecast.region.familiarity import Familiarity
from preprocessing.errors import RequestError
from preprocessing.pairs.location import location_of
from preprocessing.running.counted import counted
from preprocessing.running.files import strict, write_text
from preprocessing.running.progress import Progress, untold
from preprocessing.series import SeriesStore
from preprocessing.series.pair_index import PairIndex, choose_evenly

__all__ = ["evaluate_pairs", "evaluate_series"]

_OURS = "landcast"
_SIDE_PX = 512
_PARTS, _TRAINING_PARTS = 2, 6
_EXAMPLES = 3
"""Pairs of each dataset that are shown."""


def evaluate_series(
    request: EvaluationRequest, store: SeriesStore, *, progress: Progress = untold
) -> Path:
    """Score a forecaster on whole places beside the rules to beat.

    From the middle date of each place of three dates and more to about 1, 3, 7 and 10 years on; of
    large places the middle 512 px.

    Args:
        request: What is asked for.
        store: The series of its stores.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        RequestError: No place has three dates, or none as many as `dates` say before its start,
            or a model or mask cannot be read.
    """
    model, members, seed = request.model, request.members, request.seed
    splits, dates, masks = request.splits_of_places, request.dates, request.masks
    names = places_to_score(store, splits=splits, parts=_PARTS, seed=seed)
    if not names:
        raise RequestError(
            f"expected places of three dates and more in {store.location}, splits "
            f"{', '.join(splits)}, found none; prepare series of more dates"
        )
    history = history_methods(_OURS, model, dates, members=members, seed=seed)
    methods = [
        *(
            forecaster_method(name, place_forecaster(folder, members=members, seed=seed))
            for name, folder in _named(model, request.against).items()
        ),
        *history,
        *_rules(store, seed=seed),
    ]
    cases = list(cases_of(store, names, starts=1, side_px=_SIDE_PX))
    if masks is not None:
        allowed = {n for n, label in store.labels.items() if label.split in splits}
        drawn = mask_cases(store, masks, side_px=_SIDE_PX)
        cases += [case for case in drawn if case.place in allowed]
    enough_dates(cases, dates)
    statistics = place_statistics(seed=seed)
    # Of each place the furthest horizon of its last start.
    watcher = _Watcher(len(cases), progress, {case.place: place_of(case.place) for case in cases})
    every = score_cases(cases, methods, statistics, watch=watcher)
    cut = [method.name for method in history]
    sums = without(every, cut)
    split = {place_of(case.place): case.past.split for case in cases}
    whole = place_sections(by_split(sums, split), statistics, seed=seed, resamples=RESAMPLES)
    places = place_sections(sums, statistics, seed=seed, resamples=1)
    by_dates = []
    if cut:
        common = by_split(within(every, [_OURS, *cut]), split)
        by_dates = place_sections(common, statistics, seed=seed, resamples=RESAMPLES)
    settings = {
        **_settings(request),
        "store": store.location,
        "splits": list(splits),
        "cases": len(cases),
        "masks": None if masks is None else masks.name,
        "dates": list(dates),
        "bootstrap": {"resamples": RESAMPLES, "level": 0.95, "units": "places"},
    }
    title = f"{settings['model']} on whole places"
    record = {"splits_scored": as_record(whole), "places_scored": as_record(places)}
    if by_dates:
        record["by_dates"] = as_record(by_dates)
    page = scores_page(
        title,
        PLACE_PARTS,
        whole,
        places,
        watcher.shown,
        notes=PLACE_NOTES,
        settings=settings,
        by_dates=by_dates,
    )
    intro = f"{counted(len(cases), 'forecast')} of whole places, {counted(members, 'member')}."
    return _write(
        request.out, title, intro, {**settings, **record}, page, whole, PLACE_PARTS, by_dates
    )


def evaluate_pairs(request: EvaluationRequest, *, progress: Progress = untold) -> Path:
    """Score observations of a forecaster on pairs of tiles beside persistence, plain and dressed.

    Args:
        request: What is asked for.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        RequestError: A model, a store or the weights cannot be read.
    """
    model, members, seed = request.model, request.members, request.seed
    split, weights = request.split_of_pairs, request.perceptual_weights
    dressed = DressedPersistence.load(model_folder(model))
    methods = [
        *(
            tile_forecaster(
                name,
                load_model(other),
                ObservationModels.load(model_folder(other)).alone,
                Familiarity.load(model_folder(other)),
                members=members,
                seed=seed,
            )
            for name, other in _named(model, request.against).items()
        ),
        *pair_baselines(dressed, members=members, seed=seed),
    ]
    statistics = pair_statistics(seed=seed, perceptual_weights=weights)
    index = PairIndex.of(request.stores, split)
    chosen = choose_evenly(index.dataset, request.most_pairs, seed=seed)
    unit, kinds = resampling_units(index)
    names = {pair_name(index, n): (str(index.dataset[n]), str(unit[n])) for n in chosen}
    looked_at = chosen[choose_evenly(index.dataset[chosen], _EXAMPLES * len(kinds), seed=seed)]
    watcher = _Watcher(len(chosen), progress, {pair_name(index, n): str(n) for n in looked_at})
    sums = score_cases(
        pair_cases(index, chosen, split=split),
        methods,
        statistics,
        unit=lambda case: names[case.place],
        watch=watcher,
    )
    found = sections(sums, statistics, seed=seed, resamples=RESAMPLES)
    settings = {
        **_settings(request),
        "stores": [location_of(store) for store in request.stores],
        "split": split,
        "pairs": len(chosen),
        "bootstrap": {"resamples": RESAMPLES, "level": 0.95, "units": kinds},
        "perceptual_weights": None if weights is None else weights.name,
    }
    title = f"{settings['model']} on the split {split}"
    parts = pair_parts(statistics[-1].name)
    page = scores_page(
        title, parts, found, found, watcher.shown, notes=PAIR_NOTES, settings=settings
    )
    intro = (
        f"{counted(len(chosen), 'pair')}, {counted(members, 'member')}; intervals over places or "
        "blocks of ground.\n\n"
        f"{_OURS} minus the others:\n\n{verdicts(found)}"
    )
    return _write(request.out, title, intro, {**settings, **as_record(found)}, page, found, parts)


def _named(model: str | None, against: Sequence[str]) -> dict[str, str | None]:
    """Forecasters by a name of their own."""
    found: dict[str, str | None] = {_OURS: model}
    for other in against:
        short = Path(other).name
        names = (short, *(f"{short} ({number})" for number in range(2, 99)))
        found[next(name for name in names if name not in found)] = other
    return found


def _settings(request: EvaluationRequest) -> dict[str, Any]:
    return {
        "model": str(request.model or DEFAULT_MODEL),
        "model_sha256": weights_sha256(request.model),
        "against": {name: weights_sha256(name) for name in request.against},
        "members": request.members,
        "seed": request.seed,
    }


def _rules(store: SeriesStore, *, seed: int) -> list[CaseMethod]:
    """The rules, with probabilities learnt on the training places of the store."""
    names = places_to_score(store, splits=("train",), parts=_TRAINING_PARTS, seed=seed)
    return rule_methods(list(cases_of(store, names)))


class _Watcher:
    """Tells of progress and keeps examples: by what they are of, the last case."""

    def __init__(self, total: int, progress: Progress, examples: Mapping[str, str]) -> None:
        self._total, self._progress = total, progress
        self._examples = examples
        self._found: dict[str, PlaceExample] = {}
        self._done = 0

    def __call__(self, case: SeriesCase, forecasts: Mapping[str, PlaceForecast]) -> None:
        if case.place in self._examples:
            example = PlaceExample.of(case, forecasts[_OURS])
            if example is not None:
                self._found[self._examples[case.place]] = example
        self._done += 1
        self._progress("scoring", self._done, self._total)

    @property
    def shown(self) -> list[PlaceExample]:
        return list(self._found.values())


def _write(
    out: Path,
    title: str,
    intro: str,
    record: Mapping[str, Any],
    page: str,
    groups: Sequence[Section],
    parts: Sequence[Part],
    by_dates: Sequence[Section] = (),
) -> Path:
    tables = summary_tables(groups, parts)
    if by_dates:
        tables += f"\n\n# By number of dates\n\n{summary_tables(by_dates, parts)}"
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "scores.json", json.dumps(strict(dict(record)), indent=1, allow_nan=False))
    write_text(out / "report.html", page)
    return write_text(
        out / "report.md",
        f"# {title}\n\n{intro}\n\nEvery score by horizon, with intervals: `report.html`, "
        f"`scores.json`. Errors are in grey levels of 255.\n\n{tables}\n",
    )
