"""Forecasts and scores with earlier dates, from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

import app.members
from app.evaluation import evaluate
from app.forecasting import forecast_region
from app.request import ForecastRequest
from forecast.baselines import DressedPersistence
from forecast.earlier_images import open_earlier, read_earlier
from forecast.evaluation.methods import Method
from forecast.evaluation.scoring import score_methods
from forecast.evaluation.values import ValueScores
from forecast.start import read_start
from preprocessing.errors import (
    DateError,
    NoOverlapError,
    OutputExistsError,
    RequestError,
)
from preprocessing.io import RasterSource
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import PairStore
from sr.rrdb import RRDBNet
from tests.history_cases import history_model, index_of, pairs_of

Make = Callable[..., Path]


@pytest.fixture
def request_of(
    tmp_path: Path, make_raster: Make, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ForecastRequest]:
    """Requests on a region of 2020 with a model that takes two earlier dates."""

    def load() -> RRDBNet:
        torch.manual_seed(1)
        network: RRDBNet = RRDBNet(num_blocks=1)
        return network.eval()

    monkeypatch.setattr(app.members, "load_network", load)
    folder = tmp_path / "model"
    history_model().save_pretrained(folder)
    table = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 0, "quantiles": [0.0] * 401}
    DressedPersistence((table,)).save(folder)
    region = make_raster("region_2020.tif")

    def make(out: str, *history: Path, **options: object) -> ForecastRequest:
        defaults: dict[str, object] = {"years": 3, "members": 1, "model": str(folder)}
        return ForecastRequest(
            region=region,
            out=tmp_path / out,
            history=history,
            **{**defaults, **options},  # type: ignore[arg-type]
        )

    return make


def mean_of(request: ForecastRequest, year: int) -> np.ndarray:
    with rasterio.open(request.out / f"mean_{year}.tif") as dataset:
        return np.asarray(dataset.read())


def test_an_evaluation_shows_the_history_and_says_so(
    tmp_path: Path, request_of: Callable[..., ForecastRequest]
) -> None:
    index_of(tmp_path)
    model = request_of("out").model
    how = {"split": "train", "members": 2, "with_history": True}
    report = evaluate(model, [tmp_path / "pairs.zarr"], tmp_path / "scores", **how)  # type: ignore[arg-type]
    assert (
        "2 pairs. 2 of them have at least 1 earlier date that a model saw. 1 of them have at least "
        "2 earlier dates that a model saw." in report.read_text()
    )
    lone = PairStore.create(tmp_path / "lone.zarr")
    lone.append(replace(pairs_of((2004, 2006)), source=np.array(["lone/place/2004/2006"])))
    stores = [tmp_path / "pairs.zarr", tmp_path / "lone.zarr"]
    report = evaluate(model, stores, tmp_path / "both", **how)  # type: ignore[arg-type]
    assert "lone" not in report.with_suffix(".html").read_text().split("<h2>Settings")[0]
    with pytest.raises(RequestError, match="three dates"):
        evaluate(model, [tmp_path / "lone.zarr"], tmp_path / "none", **how)  # type: ignore[arg-type]
    index = PairIndex.of([tmp_path / "pairs.zarr"], "train")
    shown = []
    method = Method("seen", lambda cases, _: shown.append(cases) or cases.difference[None], 2)  # type: ignore[func-returns-value]
    score_methods(index, np.arange(3), [method], [ValueScores()])
    assert shown[0].history.years.tolist() == [[1.0, 4.0], [3.0, 0.0], [0.0, 0.0]]


def test_a_region_is_forecast_from_three_dates_and_resumes_to_the_same_pixels(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    earlier = [make_raster(f"earlier_{year}.tif") for year in (2016, 2018)]
    alone, whole = request_of("alone"), request_of("whole", *earlier)
    for request in (alone, whole):
        forecast_region(request)
    assert not np.array_equal(mean_of(whole, 2021), mean_of(alone, 2021))
    run = json.loads((whole.out / "run.json").read_text())
    assert [entry[:2] for entry in run["history"]] == [
        [str(earlier[1]), "2018-01-01"],
        [str(earlier[0]), "2016-01-01"],
    ]
    assert run["arguments"]["history"] == [str(path) for path in earlier]

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "forecasting" and done > 0.7 * total:
            raise KilledError

    parts = request_of("parts", *earlier)
    with pytest.raises(KilledError):
        forecast_region(parts, progress=kill)
    states = {path.name for path in (parts.out / ".partial/states_000").glob("state_*")}
    assert states == {"state_2021.npy", "state_2022.npy"}  # What the last year needs.
    with pytest.raises(RequestError, match="other arguments"):
        forecast_region(replace(parts, history=parts.history[:1], resume=True))
    forecast_region(replace(parts, resume=True))
    for year in (2021, 2022, 2023):
        np.testing.assert_array_equal(mean_of(parts, year), mean_of(whole, year))


def test_wrong_histories_are_refused(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    tiny_model_folder: Path,
) -> None:
    good, same = make_raster("good_2018.tif"), make_raster("same_2018.tif")
    third, fourth = make_raster("third_2017.tif"), make_raster("fourth_2016.tif")
    other = make_raster("other_2015.tif", seed=3)
    for history, error, words, options in (
        ((make_raster("later_2021.tif"),), DateError, "before 2020", {}),
        ((make_raster("undated.tif"),), DateError, "name it like", {}),
        ((good, same), DateError, "different dates", {}),
        ((good, third, fourth), RequestError, "at most 2", {}),
        ((good,), RequestError, "at most 0", {"model": str(tiny_model_folder)}),
    ):
        request = request_of("out", *history, **options)
        with pytest.raises(error, match=words):
            forecast_region(request)
        assert not request.out.exists()
    far = move(other, by=100_000)
    with pytest.raises(NoOverlapError):
        forecast_region(request_of("out", far))
    request = request_of("folder", good)
    request.out.mkdir()
    inside = good.rename(request.out / good.name)
    with pytest.raises(OutputExistsError, match="beside the image"):
        forecast_region(replace(request, history=(inside,), overwrite=True))


def test_an_earlier_image_is_laid_over_the_region_in_its_tone(
    make_raster: Make, tmp_path: Path
) -> None:
    seen = np.ones((150, 170), bool)
    seen[100:] = False
    region = RasterSource.open(make_raster("region_2020.tif"))
    path = make_raster("earlier_2015.tif", scale=0.7, nodata=0, valid=seen)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        values = dataset.read()
        values[:, 40:60, 60:80] = 20
        dataset.write(values)
    move(path, by=30)  # Its pixels lie three columns too far east.
    start, _ = read_start(region, tmp_path)
    [earlier] = open_earlier(region, [path])
    assert earlier.years == pytest.approx(5, abs=0.01)
    read_earlier(region, start, earlier.source, tmp_path / "earlier.npy")
    change = np.load(tmp_path / "earlier.npy") - start
    assert change.shape == (3, 152, 172)
    assert change[:, 42:58, 62:78].mean() < -0.2
    still = change[:, :95, :165].copy()
    still[:, 36:64, 56:84] = 0
    assert np.abs(still).max() < 0.05
    np.testing.assert_array_equal(change[:, 104:148], 0)
    np.testing.assert_array_equal(change[:, :, 170], change[:, :, 169])


def move(path: Path, *, by: float) -> Path:
    """The same raster `by` metres further east."""
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.transform = Affine.translation(by, 0) @ dataset.transform
    return path
