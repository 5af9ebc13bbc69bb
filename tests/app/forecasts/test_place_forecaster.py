from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture
from region_cases import small_lift

import app.forecasts.place_forecaster
from app.forecasts.place_forecaster import place_forecaster
from preprocessing.series import PlaceSeries
from preprocessing.tiles.cells import cell_means


def test_a_place_is_forecast_year_after_year_with_observations(
    tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.forecasts.place_forecaster, "load_guided", small_lift)
    now = picture(96, 140)
    then = now.copy()
    then[:, 20:40, 20:40] = 20
    valid = np.ones((2, 96, 140), bool)
    valid[0, :8] = False
    past = PlaceSeries(
        "a", "set", "val", 10.0, np.array([2015.0, 2020.0]), np.stack([then, now]), valid
    )
    torch.manual_seed(0)
    forecaster = place_forecaster(str(tiny_model_folder), members=2, seed=1)
    years = list(islice(forecaster(past), 4))
    assert len(years) == 4  # beyond the three years that the network knows
    for before, after in pairwise(years):
        assert after.states.shape == (2, 3, 96, 140)
        assert (after.probability >= before.probability).all()
        moved = (before.states != now).any(axis=1)
        same = (after.states == before.states).all(axis=1)
        # All but pixels of outlines, of which more may change; patches are small here.
        assert not moved.any() or same[moved].mean() > 0.7
    assert (years[-1].states != now).any()
    assert (years[-1].states == now).all(axis=1).mean() > 0.3
    seen = years[0].observations
    assert seen is not None
    assert seen.shape == (2, 3, 24, 35)
    assert np.abs(seen - cell_means(years[0].states)).mean() > 0.1
