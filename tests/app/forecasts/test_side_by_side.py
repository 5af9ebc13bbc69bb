"""What a second worker does for one member."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

import app.films.animation
import app.forecasts.layers
import forecast.region.ground
import forecast.region.painting
import forecast.region.seen_again
import forecast.start
from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from preprocessing.rasters.io import RasterSource

Make = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("small_forecast_lift")


def meeting(calls: int = 2) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes functions whose first calls wait for another one, and fail if none comes."""
    barrier, number, lock = threading.Barrier(2), itertools.count(), threading.Lock()

    def made(function: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*args: Any, **kwargs: Any) -> Any:
            with lock:
                first = next(number) < calls
            if first:
                barrier.wait(timeout=20)
            return function(*args, **kwargs)

        return waits

    return made


@pytest.fixture
def series(make_raster: Make) -> list[Path]:
    """Three dates, the last with a hole that only a mask tells of."""
    valid = np.ones((150, 170), bool)
    valid[20:60, 30:90] = False
    earlier = [make_raster(f"place_{year}.tif", scale=year / 2020) for year in (2016, 2018)]
    return [*earlier, make_raster("place_2020.tif", valid=valid)]


def test_reading_learning_and_writing_are_shared_by_threads(
    series: list[Path],
    request_of: Callable[..., ForecastRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forecast.start, "BLOCK", 64)
    monkeypatch.setattr(forecast.region.seen_again, "BLOCK", 16)
    again, layers = forecast.region.seen_again, app.forecasts.layers
    monkeypatch.setattr(RasterSource, "read_stored", meeting()(RasterSource.read_stored))
    monkeypatch.setattr(again, "_earlier_spread", meeting()(again._earlier_spread))
    both, ground = meeting(), forecast.region.ground
    for look in ("read_earlier_cells", "region_familiarity"):
        monkeypatch.setattr(ground, look, both(getattr(ground, look)))
    # Four rasters of the start and the first year, then five of the last year and the states.
    monkeypatch.setattr(layers, "write_cog", meeting(8)(layers.write_cog))
    film = meeting()
    for ending in (".mp4", ".gif"):
        writers = app.films.animation._WRITERS
        monkeypatch.setitem(writers, ending, film(writers[ending]))
    forecast_region(request_of(*series, members=1, workers=2))


def test_they_change_no_pixel_of_a_result(
    series: list[Path], request_of: Callable[..., ForecastRequest]
) -> None:
    """Chances and spreads to within rounding; `benchmarks.cost.region` compares bytes."""
    asked = {"members": 1, "save_members": True, "save_observations": True}
    found = []
    for workers in (1, 2):
        folder = forecast_region(
            request_of(*series, out=f"out-{workers}", workers=workers, **asked)
        ).folder
        rasters = sorted(path.relative_to(folder) for path in folder.rglob("*.tif"))
        found.append({str(name): pixels_of(folder / name) for name in rasters})
        assert (folder / "forecast.mp4").stat().st_size > 0
        assert (folder / "forecast.gif").stat().st_size > 0
    assert len(found[0]) == 1 + 2 * 6
    assert found[0].keys() == found[1].keys()
    for name, pixels in found[0].items():
        np.testing.assert_allclose(found[1][name], pixels, rtol=0, atol=1e-6, err_msg=name)


def pixels_of(path: Path) -> NDArray[np.float64]:
    """Bands of a raster and its mask."""
    with rasterio.open(path) as dataset:
        return np.concatenate([dataset.read(), dataset.dataset_mask()[None]]).astype(np.float64)


def test_sums_do_not_depend_on_how_many_cores_there_are(
    series: list[Path],
    request_of: Callable[..., ForecastRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyTorch and NumPy add up in another order on more threads: what is summed takes one."""
    seen: dict[str, set[int]] = {}

    def counts(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            taken = {pool["num_threads"] for pool in threadpool_info() if sums(pool)}
            seen[name] = seen.get(name, set()) | taken
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    counts(forecast.region.ground, "region_conditions")
    counts(forecast.region.ground, "region_familiarity")  # In a thread of its own.
    counts(forecast.region.painting, "_paint_box")  # Likewise.
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        forecast_region(request_of(*series, members=1, workers=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {"region_conditions": {1}, "region_familiarity": {1}, "_paint_box": {1}}


def sums(pool: dict[str, Any]) -> bool:
    """Not the pools of OpenCV and scikit-learn, whose results do not depend on how many share."""
    return any(f"/{name}" in pool["filepath"] for name in ("torch/", "numpy.libs/", "scipy.libs/"))
