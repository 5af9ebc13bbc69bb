"""A rule's map as a probability of lasting change, by logistic regression on training places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from forecast.evaluation.cases.case import SeriesCase
from forecast.evaluation.methods.rules import Rule

__all__ = ["RuleProbability"]

_CELLS_A_CASE = 2000
_STREAM = 7
Fields = NDArray[np.float32]


@dataclass(frozen=True)
class RuleProbability:
    """Logistic regression on the size of a rule's value and the horizon, in logarithms.

    Attributes:
        rule: None for the horizon alone: the share that changes in training places.
        regression: Fitted.
    """

    rule: Rule | None
    regression: Pipeline

    @classmethod
    def fit(cls, rule: Rule | None, cases: Sequence[SeriesCase]) -> RuleProbability | None:
        """Fit on the cases of training places whose change is known from series.

        Every place counts alike, however many cases it has. Cases of other splits, and those whose
        change was drawn by people, are left out.

        Returns:
            None where too few cells changed or the rule does not apply to any case.
        """
        allowed = [case for case in cases if case.past.split == "train" and case.later_dates > 1]
        counts = Counter(case.place for case in allowed)
        features, events, weights = [], [], []
        for case in allowed:
            values = _features(rule, case)
            at = np.flatnonzero(case.known)
            if values is None or at.size == 0:
                continue
            if at.size > _CELLS_A_CASE:
                at = case.generator(0, _STREAM).choice(at, _CELLS_A_CASE, replace=False)
            features.append(values[at])
            events.append(case.event.ravel()[at])
            weights.append(np.full(at.size, 1 / (at.size * counts[case.place])))
        if not events or len(np.unique(np.concatenate(events))) < 2:
            return None
        weight = np.concatenate(weights)
        regression = make_pipeline(StandardScaler(), LogisticRegression())
        regression.fit(
            np.concatenate(features),
            np.concatenate(events),
            # Of mean 1, so that the little regularisation there is does not depend on the cases.
            logisticregression__sample_weight=weight / weight.mean(),
        )
        return cls(rule, regression)

    def __call__(self, case: SeriesCase) -> Fields | None:
        """Probability of lasting change `(h, w)`; None where the rule does not apply."""
        values = _features(self.rule, case)
        if values is None:
            return None
        found = self.regression.predict_proba(values)[:, 1]
        return np.asarray(found, np.float32).reshape(case.known.shape)


def _features(rule: Rule | None, case: SeriesCase) -> NDArray[np.float64] | None:
    """`(cells, features)`."""
    horizon = np.full(case.known.size, np.log(case.years))
    if rule is None:
        return horizon[:, None]
    values = rule(case)
    if values is None:
        return None
    flat = values.ravel().astype(np.float64)
    return np.stack([np.sign(flat) * np.log1p(np.abs(flat)), horizon], axis=1)
