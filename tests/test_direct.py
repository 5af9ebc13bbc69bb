from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from forecast.direct import direct_forecasts
from forecast.region import EarlierImage, StepKey


def test_every_year_starts_from_the_region_with_the_same_noise(tmp_path: Path) -> None:
    start = np.zeros((3, 4, 4), np.float32)
    given = [EarlierImage(start - 5, 3.0)]
    asked: list[tuple[StepKey, float]] = []

    class Recorder:
        def colours(self, image: Any) -> None:
            return None

        def step(self, state: Any, result: Any, key: StepKey, *, years: float, **more: Any) -> None:
            assert state is start
            assert more["history"] == given
            asked.append((key, years))
            result[:] = state + years

    found = {
        year: float(image.mean())
        for year, image in direct_forecasts(
            Recorder(),  # type: ignore[arg-type]
            start,
            tmp_path,
            seed=1,
            member=2,
            start_year=2020,
            years=[2021, 2024],
            history=given,
        )
    }
    assert found == {2021: 1.0, 2024: 4.0}
    assert asked == [(StepKey(1, 2, 2020), 1), (StepKey(1, 2, 2020), 4)]
