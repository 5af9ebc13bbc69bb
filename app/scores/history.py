"""`landcast evaluate --dates`: the forecaster with less history, and without the place's past."""

from __future__ import annotations

from collections.abc import Sequence

from app.forecasts.place_forecaster import place_forecaster
from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecaster import forecaster_method
from forecast.evaluation.methods.history import with_dates
from forecast.evaluation.methods.method import CaseMethod
from preprocessing.errors import RequestError

__all__ = ["enough_dates", "history_methods"]


def history_methods(
    name: str, model: str | None, dates: Sequence[int], *, members: int, seed: int
) -> list[CaseMethod]:
    """A model with the nearest dates only, and with all of them but not calibrated.

    Args:
        name: Of the model, which these names begin with.
        model: Shipped name or model folder.
        dates: Numbers of dates, the start among them; nothing is asked for where empty.
        members: Members of each ensemble.
        seed: Of their noise.
    """
    if not dates:
        return []
    ours = place_forecaster(model, members=members, seed=seed)
    general = place_forecaster(model, members=members, seed=seed, calibrate=False)
    counts = {n: f"{name}, {n} date{'s' if n > 1 else ''}" for n in sorted(set(dates))}
    return [
        *(with_dates(label, ours, n) for n, label in counts.items()),
        forecaster_method(f"{name}, not calibrated", general),
    ]


def enough_dates(cases: Sequence[SeriesCase], dates: Sequence[int]) -> None:
    """Refuse numbers of dates that no case has.

    Raises:
        RequestError: There are not so many up to any start.
    """
    most = max(len(case.past) for case in cases)
    if dates and max(dates) > most:
        raise RequestError(
            f"expected --dates of {most} at most, got {max(dates)}: no place of the store has more "
            "dates up to its start; leave it out"
        )
