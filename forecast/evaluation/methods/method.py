"""What is scored on whole places: a name and a function from a case to a forecast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.methods.rule_probability import RuleProbability
from forecast.evaluation.methods.rules import RULES, earlier_looks, trended

__all__ = ["CaseMethod", "rule_methods"]


@dataclass(frozen=True)
class CaseMethod:
    """A way to forecast a case.

    Attributes:
        name: As the report shows it.
        forecast: None for cases it cannot forecast.
    """

    name: str
    forecast: Callable[[SeriesCase], PlaceForecast | None]


def rule_methods(training: Sequence[SeriesCase]) -> list[CaseMethod]:
    """The rules to beat, with probabilities learnt from training places.

    `nothing changes`, and as its probability the share that changes in training places by then;
    `climatology`, all dates so far as members; `linear trend`, one member; and the maps of `RULES`.

    Args:
        training: Cases to fit the probabilities on; others than of training places are left out.
    """
    share = RuleProbability.fit(None, training)

    def still(case: SeriesCase) -> PlaceForecast:
        probability = None if share is None else share(case)
        return PlaceForecast(
            members=case.present[None], probability=probability, states=case.past.images[-1:]
        )

    methods = [CaseMethod("nothing changes", still)]
    for name, rule in RULES.items():
        methods.append(CaseMethod(name, _ranked(name, RuleProbability.fit(rule, training))))
    return methods


def _ranked(
    name: str, probability: RuleProbability | None
) -> Callable[[SeriesCase], PlaceForecast | None]:
    def forecast(case: SeriesCase) -> PlaceForecast | None:
        ranking = RULES[name](case)
        if ranking is None:
            return None
        members = None
        if name == "climatology":
            members = earlier_looks(case)
        elif name == "linear trend":
            future = trended(case)
            members = None if future is None else np.asarray(future)[None]
        return PlaceForecast(
            members=members,
            probability=None if probability is None else probability(case),
            ranking=ranking,
        )

    return forecast
