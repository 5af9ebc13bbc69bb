"""Forecasts and scores with earlier dates, from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from app.evaluation import evaluate
from forecast.baselines import DressedPersistence
from forecast.earlier_images import open_earlier, read_earlier
from forecast.evaluation.methods import Method
from forecast.evaluation.scoring import score_methods
from forecast.evaluation.values import ValueScores
from forecast.start import read_start
from preprocessing.errors import (
    RequestError,
)
from preprocessing.io import RasterSource
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import PairStore
from tests.history_cases import history_model, index_of, pairs_of

Make = Callable[..., Path]


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Folder of a model that takes two earlier dates."""
    folder = tmp_path / "model"
    history_model().save_pretrained(folder)
    table = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 0, "quantiles": [0.0] * 401}
    DressedPersistence((table,)).save(folder)
    return str(folder)


def test_an_evaluation_shows_the_history_and_says_so(tmp_path: Path, model: str) -> None:
    index_of(tmp_path)
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
