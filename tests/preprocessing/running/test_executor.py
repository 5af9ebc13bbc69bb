from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from preprocessing.errors import RequestError
from preprocessing.running.executor import DaskCluster, LocalPool, in_threads


def square(value: int) -> int:
    if value == 13:
        raise ValueError("thirteen")
    return value * value


def test_pool_runs_every_item_and_raises_what_fails() -> None:
    assert sorted(LocalPool(2).map(square, [1, 2, 3])) == [1, 4, 9]
    with pytest.raises(ValueError, match="thirteen"):
        list(LocalPool(2).map(square, [13]))


def test_threads_stop_early_all_the_way_down() -> None:
    """Ctrl-C in the midst of a stage must not wait until the stage is done."""
    begun, lock = Counter[str](), threading.Lock()

    def step(name: str) -> None:
        with lock:
            begun[name] += 1
        time.sleep(0.01)

    def stage(name: str) -> str:
        return name if name == "short" else str(list(in_threads(step, [name] * 500, 2)))

    results = in_threads(stage, ["short", "long"], 2)
    assert next(results) == "short"
    results.close()
    assert begun["long"] < 100
    # What comes after is not stopped.
    assert list(in_threads(square, [1, 2, 3], 2)) == [1, 4, 9]
    list(in_threads(stage, ["other", "third"], 2))
    assert begun["other"] == begun["third"] == 500


def test_dask_runs_every_item_and_refuses_an_address_without_scheduler() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        found = DaskCluster(cluster.scheduler_address).map(square, [1, 2, 3])
        assert sorted(found) == [1, 4, 9]


def mean_of(region: Path, out: Path, model: Path, **where: Any) -> NDArray[np.uint8]:
    result = forecast_region(
        ForecastRequest(
            images=(region,), out=out, years=1, members=2, seed=3, model=str(model), **where
        )
    )
    with rasterio.open(result.path("mean", 2021)) as dataset:
        return np.asarray(dataset.read())


def test_neither_workers_nor_dask_change_the_pixels(
    tmp_path: Path, make_raster: Callable[..., Path], tiny_model_folder: Path
) -> None:
    region = make_raster("region_2020.tif", height=128, width=140)
    alone = mean_of(region, tmp_path / "alone", tiny_model_folder)
    pool = mean_of(region, tmp_path / "pool", tiny_model_folder, workers=2)
    np.testing.assert_array_equal(pool, alone)
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        dask = mean_of(region, tmp_path / "dask", tiny_model_folder, dask=address)
    np.testing.assert_array_equal(dask, alone)


def test_refusals() -> None:
    with pytest.raises(RequestError, match="--workers"):
        LocalPool(0)
    with pytest.raises(RequestError, match="both"):
        ForecastRequest(images=(Path("a"),), out=Path("b"), workers=2, dask="tcp://localhost:1")
