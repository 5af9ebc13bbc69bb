"""What a method says of a place: an ensemble of states, a map of probabilities, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.tiles.cells import cell_means

__all__ = ["PlaceForecast"]

Fields = NDArray[np.float32]


@dataclass(frozen=True)
class PlaceForecast:
    """A forecast of one case; what a method does not say is None, and is not scored.

    Attributes:
        members: `(m, 3, h, w)` means over cells, in grey levels of 255.
        probability: `(h, w)` that the ground changes lastingly, 0..1.
        ranking: `(h, w)` what ranks cells by their likelihood of change. Default: the probability.
        states: `(m, 3, H, W)` the members at full resolution, grey levels.
        year_before: `(m, 3, h, w)` the members one year before the target.
        observations: `(k, 3, h, w)` what a sensor may see of them; scored against the later image.
            Default: the members.
        expected: `(3, h, w)` the mean of all futures. Default: that of the members.
    """

    members: Fields | None = None
    probability: Fields | None = None
    ranking: Fields | None = None
    states: NDArray[np.uint8] | None = None
    year_before: Fields | None = None
    observations: Fields | None = None
    expected: Fields | None = None

    @classmethod
    def of_states(
        cls,
        states: NDArray[np.uint8],
        probability: Fields,
        *,
        ranking: Fields | None = None,
        year_before: NDArray[np.uint8] | None = None,
        observations: Fields | None = None,
        expected: Fields | None = None,
    ) -> PlaceForecast:
        """Build from whole pictures `(m, 3, H, W)`; the rest as in the class."""
        before = None if year_before is None else cell_means(year_before)
        members = cell_means(states)
        return cls(members, probability, ranking, states, before, observations, expected)

    @property
    def ranked(self) -> Fields | None:
        """What ranks the cells."""
        return self.probability if self.ranking is None else self.ranking

    @property
    def observed(self) -> Fields | None:
        """What is compared with the later image."""
        return self.members if self.observations is None else self.observations

    @property
    def mean(self) -> Fields:
        """`(3, h, w)` what is expected, and has the least square error.

        Raises:
            ValueError: There are no members.
        """
        return self._ensemble.mean(axis=0) if self.expected is None else self.expected

    @property
    def representative(self) -> int:
        """The member nearest the ensemble mean: what is shown as the picture of the forecast.

        Raises:
            ValueError: There are no members.
        """
        members = self._ensemble
        distance = ((members - members.mean(axis=0)) ** 2).sum(axis=(1, 2, 3))
        return int(np.argmin(distance))

    @property
    def _ensemble(self) -> Fields:
        if self.members is None:
            raise ValueError("expected members, got a forecast without")
        return self.members
