"""Forecasts with small networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from region_cases import small_lift

import app.forecasts.members
from app.forecasts.request import ForecastRequest


@pytest.fixture
def small_forecast_lift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members of this process are lifted by a small untrained network."""
    monkeypatch.setattr(app.forecasts.members, "load_guided", small_lift)


@pytest.fixture
def request_of(tiny_model_folder: Path, tmp_path: Path) -> Callable[..., ForecastRequest]:
    """Two years of two members, with a small model; `out` lies in the folder of the test."""

    def make(*images: Path, out: str = "out", **options: object) -> ForecastRequest:
        defaults: dict[str, object] = {
            "years": 2,
            "members": 2,
            "seed": 7,
            "model": str(tiny_model_folder),
        }
        return ForecastRequest(images=images, out=tmp_path / out, **{**defaults, **options})  # type: ignore[arg-type]

    return make
