from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from rio_cogeo import cog_validate

from app.forecasts.request import ForecastRequest
from app.forecasts.results import CUBE
from app.forecasts.run import forecast_region
from forecast.summary import expected_state
from preprocessing.errors import (
    BandError,
    DateError,
    MissingFileError,
    ModelFolderError,
    NoValidPixelsError,
    OutputExistsError,
    RequestError,
    UnreadableRasterError,
    ValueRangeError,
)

Make = Callable[..., Path]


pytestmark = pytest.mark.usefixtures("small_forecast_lift")


def pixels(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.rglob("*.tif")):
        with rasterio.open(path) as dataset:
            found[str(path.relative_to(folder))] = dataset.read()
    return found


def test_writes_what_the_contract_lists(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    region = make_raster("region_2020.tif")
    result = forecast_region(request_of(region, save_members=True))
    names = {str(p.relative_to(result.folder)) for p in result.folder.rglob("*") if p.is_file()}
    kinds = ("forecast", "mean", "spread", "change_probability")
    expected = {f"{kind}_{year}.tif" for kind in kinds for year in (2021, 2022)}
    expected |= {f"members/{m:02}_{year}.tif" for m in (0, 1) for year in (2021, 2022)}
    expected |= {"present_2020.tif", "forecast.mp4", "forecast.gif", "collection.json", "run.json"}
    expected |= {"forecast_2021.json", "forecast_2022.json", "model.json"}
    layers = ("spread", "change_probability")
    expected |= {f"{kind}_{year}.qml" for kind in layers for year in (2021, 2022)}
    assert names == expected
    with rasterio.open(region) as source:
        for path in result.folder.rglob("*.tif"):
            valid, errors, _ = cog_validate(path)
            assert valid, errors
            with rasterio.open(path) as dataset:
                assert dataset.crs == source.crs
                assert dataset.transform == source.transform
                assert dataset.shape == source.shape
                layer = path.name.startswith(("spread", "change"))
                assert dataset.dtypes[0] == ("float32" if layer else "uint8")
    run = json.loads((result.folder / "run.json").read_text())
    assert run["start_year"] == 2020
    assert run["years"] == [2021, 2022]
    assert run["seed"] == 7
    assert len(run["model"]["sha256"]) == 64
    assert run["km2_per_hour"] > 0
    assert run["changed_area"]["unit"] == "hectares"
    area = run["changed_area"]["2022"]
    assert 0 < run["changed_area"]["2021"]["expected"] <= area["expected"] < 255
    assert area["5"] <= area["50"] <= area["95"]
    assert area["50"] > 0
    assert run["outside_experience"] is None
    maps = pixels(result.folder)
    members = np.stack([maps[f"members/{m:02}_2022.tif"] for m in (0, 1)]).astype(float)
    spread = np.sqrt(members.var(axis=0, ddof=1).mean(axis=0))
    np.testing.assert_allclose(maps["spread_2022.tif"][0], spread, atol=1e-4)
    assert spread.mean() > 0
    start = maps["present_2020.tif"]
    chance = maps["change_probability_2022.tif"]
    expected = expected_state(start.astype(np.float32), members.astype(np.float32), chance[0])
    np.testing.assert_allclose(maps["mean_2022.tif"], expected, atol=0.51)
    same = (members == start).all(axis=(0, 1))
    assert 0.3 < same.mean() < 1
    np.testing.assert_array_equal(maps["mean_2022.tif"][:, same], start[:, same])
    probability = [maps[f"change_probability_{year}.tif"] for year in (2021, 2022)]
    assert (probability[1] >= probability[0]).all()
    assert len(np.unique(probability[1])) > 100
    chosen = maps["forecast_2022.tif"]
    assert any(np.array_equal(chosen, member) for member in members)


def test_a_series_is_forecast_with_observations_and_resumes_to_the_same_pixels(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    series = [make_raster(f"place_{year}.tif", scale=year / 2020) for year in (2016, 2018, 2020)]
    options = {"save_members": True, "save_observations": True, "years": 2}
    whole = forecast_region(request_of(*series, out="whole", **options))
    assert [entry[1] for entry in whole.run["history"]] == ["2016-01-01", "2018-01-01"]
    assert whole.run["arguments"]["images"] == [str(path) for path in series]
    maps = pixels(whole.folder)
    assert {f"observations/{m:02}_{y}.tif" for m in (0, 1) for y in (2021, 2022)} <= maps.keys()
    assert len(whole.saved_observations) == 4
    difference = maps["observations/00_2022.tif"].astype(float) - maps["members/00_2022.tif"]
    assert np.abs(difference).mean() > 0.05
    item = json.loads((whole.folder / "forecast_2022.json").read_text())
    assert item["assets"]["observation_01"]["href"] == "./observations/01_2022.tif"
    alone = pixels(forecast_region(request_of(series[-1], out="alone")).folder)
    assert not np.array_equal(
        alone["change_probability_2022.tif"], maps["change_probability_2022.tif"]
    )

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "forecasting" and done > 0.7 * total:
            raise KilledError

    request = request_of(*series, out="parts", **options)
    with pytest.raises(KilledError):
        forecast_region(request, progress=kill)
    with pytest.raises(RequestError, match="others differ: "):
        forecast_region(replace(request, images=request.images[1:], resume=True))
    parts = pixels(forecast_region(replace(request, resume=True)).folder)
    assert parts.keys() == maps.keys()
    for name, values in maps.items():
        np.testing.assert_array_equal(parts[name], values)
    forecast_region(replace(request, years=1, save_observations=False, overwrite=True))
    assert not (request.out / "observations").exists()


@pytest.mark.parametrize("dates", [1, 2])
@pytest.mark.parametrize("calibrate", [True, False])
def test_observations_differ_from_the_state_and_stay_moderate(
    make_raster: Make, request_of: Callable[..., ForecastRequest], dates: int, calibrate: bool
) -> None:
    series = [make_raster(f"place_{2020 - n}.tif", scale=1 + n / 20) for n in range(dates)]
    options = {"years": 1, "save_observations": True, "save_members": True, "model": "base"}
    maps = pixels(forecast_region(request_of(*series, calibrate=calibrate, **options)).folder)
    seen, state = (
        maps[f"{kind}/00_2021.tif"].astype(float) for kind in ("observations", "members")
    )
    assert 0.1 < np.abs(seen - state).mean() < 60


def test_a_model_of_another_kind_is_refused(
    make_raster: Make, request_of: Callable[..., ForecastRequest], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "config.json").write_text(json.dumps({"_class_name": "ForecastUNet"}))
    (old / "diffusion_pytorch_model.safetensors").touch()
    request = request_of(make_raster("region_2020.tif"), model=str(old))
    with pytest.raises(ModelFolderError, match="ForecastUNet, which landcast no longer runs"):
        forecast_region(request)
    assert not request.out.exists()


def test_same_request_same_pixels_and_members_are_a_prefix(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    region = make_raster("region_2020.tif")
    first = pixels(forecast_region(request_of(region, out="a", save_members=True)).folder)
    again = pixels(forecast_region(request_of(region, out="b", save_members=True)).folder)
    more = pixels(forecast_region(request_of(region, out="c", members=3, save_members=True)).folder)
    other = pixels(forecast_region(request_of(region, out="d", seed=8, save_members=True)).folder)
    for name, values in first.items():
        np.testing.assert_array_equal(again[name], values)
        if name.startswith("members/"):
            np.testing.assert_array_equal(more[name], values)
    assert not np.array_equal(other["members/00_2021.tif"], first["members/00_2021.tif"])


def test_killed_forecast_resumes_to_the_same_pixels(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    region = make_raster("region_2020.tif")
    whole = pixels(forecast_region(request_of(region, out="whole")).folder)

    class KilledError(Exception):
        pass

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "forecasting" and done > 0.7 * total:
            raise KilledError

    request = request_of(region, out="parts")
    with pytest.raises(KilledError):
        forecast_region(request, progress=kill)
    assert not list(request.out.glob("*.tif"))
    with pytest.raises(OutputExistsError, match="--resume"):
        forecast_region(request)
    with pytest.raises(RequestError, match=r"seed \(\d+ there, 8 here\)"):
        forecast_region(replace(request, resume=True, seed=8))
    parts = pixels(forecast_region(replace(request, resume=True)).folder)
    assert parts.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values)


def test_existing_results_are_kept_unless_replaced(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    region = make_raster("region_2020.tif")
    request = request_of(region)
    forecast_region(request)
    stamp = (request.out / "forecast_2022.tif").stat().st_mtime_ns
    forecast_region(request)  # the same request again: already done
    assert (request.out / "forecast_2022.tif").stat().st_mtime_ns == stamp
    with pytest.raises(OutputExistsError, match="--overwrite"):
        forecast_region(replace(request, seed=9))
    hidden = region.with_name(f"{region.name}.msk")
    with rasterio.open(region) as dataset:
        profile = {**dataset.profile, "count": 1, "nodata": None, "driver": "GTiff"}
    with rasterio.open(hidden, "w", **profile) as mask:
        mask.write(np.full((1, mask.height, mask.width), 255, np.uint8))
    with pytest.raises(OutputExistsError, match="--overwrite"):
        forecast_region(request)  # Other ground may be hidden now.
    hidden.unlink()
    with pytest.raises(RequestError, match="finished"):
        forecast_region(replace(request, years=3, resume=True))
    (request.out / "notes.txt").write_text("mine")
    (request.out / "mean_temperature.tif").write_text("mine too")
    forecast_region(replace(request, seed=9, years=1, overwrite=True))
    assert not (request.out / "forecast_2022.tif").exists()
    assert (request.out / "notes.txt").read_text() == "mine"
    assert (request.out / "mean_temperature.tif").exists()


@pytest.mark.parametrize(
    "lost", ["spread_2022.tif", "members/00_2021.tif", "collection.json", "forecast.mp4"]
)
def test_files_that_are_lost_are_made_again(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    caplog: pytest.LogCaptureFixture,
    lost: str,
) -> None:
    request = request_of(make_raster("region_2020.tif"), save_members=True)
    forecast_region(request)
    before = (request.out / lost).read_bytes()
    (request.out / lost).unlink()
    forecast_region(request)
    assert (request.out / lost).read_bytes() == before
    assert f"lacks {lost}" in caplog.text


def test_nothing_of_a_damaged_forecast_stays_beside_another(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    request = request_of(make_raster("region_2020.tif"), save_members=True, cube=True)
    forecast_region(request)
    cube = sorted(path for path in (request.out / CUBE).rglob("*") if path.is_file())
    (request.out / "run.json").unlink()
    (request.out / "spread_2022.tif").unlink()
    later = replace(request, years=1, save_members=False, cube=False, overwrite=True)
    assert forecast_region(later).years == (2021,)
    assert not [path.name for path in request.out.rglob("*") if "2022" in path.name]
    assert not (request.out / "members").exists()
    assert not any(path.exists() for path in cube)


@pytest.mark.parametrize(("limits", "side"), [((0.0, 1.0), "above"), ((3e4, 6e4), "below")])
def test_a_range_that_no_pixel_is_in_is_refused(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    limits: tuple[float, float],
    side: str,
) -> None:
    image = make_raster("region_2020.tif", dtype="uint16")
    with pytest.raises(ValueRangeError, match=f"are {side} on average; mend --value-range"):
        forecast_region(request_of(image, value_range=limits))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (50, 40), (127, 130), (130, 300)])
def test_any_size(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    height: int,
    width: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    region = make_raster("region_2020.tif", height=height, width=width)
    result = forecast_region(request_of(region, years=1))
    assert ("no square of 4 x 4 pixels was seen whole" in caplog.text) == (height == 1)
    with rasterio.open(result.folder / "forecast_2021.tif") as dataset:
        assert dataset.shape == (height, width)
        assert dataset.read().std() > 0 or height * width == 1


def test_nodata_and_masks_are_carried(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    valid = np.ones((150, 170), bool)
    valid[20:60, 30:90] = False
    for name, nodata in (("nodata_2020.tif", 255.0), ("mask_2020.tif", None)):
        region = make_raster(name, nodata=nodata, valid=valid)
        result = forecast_region(request_of(region, out=f"out-{name}", years=1))
        with rasterio.open(result.folder / "forecast_2021.tif") as dataset:
            assert dataset.nodata == nodata
            np.testing.assert_array_equal(dataset.dataset_mask() > 0, valid)
        with rasterio.open(result.folder / "spread_2021.tif") as dataset:
            np.testing.assert_array_equal(np.isfinite(dataset.read(1)), valid)


def test_sixteen_bit_input_keeps_type_and_units(
    make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    region = make_raster("s2_2020.tif", dtype="uint16", scale=10.0)
    with pytest.raises(ValueRangeError, match="--value-range"):
        forecast_region(request_of(region))
    result = forecast_region(request_of(region, years=1, value_range=(0.0, 3000.0)))
    with rasterio.open(region) as source, rasterio.open(result.path("mean", 2021)) as mean:
        assert mean.dtypes[0] == "uint16"
        assert mean.read().mean() == pytest.approx(source.read().mean(), rel=0.3)
    with rasterio.open(result.path("spread", 2021)) as spread:
        assert 0 < spread.read().mean() < 1500


def test_picture_without_georeference(
    tmp_path: Path, request_of: Callable[..., ForecastRequest]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (140, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "aerial.png")
    with pytest.raises(DateError, match="--year"):
        forecast_region(request_of(tmp_path / "aerial.png"))
    result = forecast_region(request_of(tmp_path / "aerial.png", year=2019, years=1))
    with rasterio.open(result.path("forecast", 2020)) as dataset:
        assert dataset.crs is None
        assert dataset.shape == (140, 160)


def test_wrong_input_is_refused_and_leaves_nothing(
    tmp_path: Path, make_raster: Make, request_of: Callable[..., ForecastRequest]
) -> None:
    text = tmp_path / "text_2020.tif"
    text.write_text("not a raster")
    nothing = np.zeros((150, 170), bool)
    cases = [
        (request_of(tmp_path / "missing_2020.tif"), MissingFileError, "found nothing"),
        (request_of(text), UnreadableRasterError, "text_2020.tif"),
        (request_of(make_raster("one_2020.tif", count=1)), BandError, "got 1"),
        (request_of(make_raster("undated.tif")), DateError, "--year"),
        (
            request_of(make_raster("empty_2020.tif", nodata=0, valid=nothing)),
            NoValidPixelsError,
            "nodata",
        ),
        (
            replace(request_of(make_raster("a_2020.tif")), model=str(tmp_path)),
            ModelFolderError,
            "missing",
        ),
        (request_of(make_raster("c_2020.tif"), dask="tcp://127.0.0.1:9"), RequestError, "Dask"),
    ]
    for request, error, words in cases:
        with pytest.raises(error, match=words):
            forecast_region(request)
        assert not request.out.exists()
    with pytest.raises(RequestError, match="--steps 1"):
        request_of(make_raster("b_2020.tif"), steps=4)


def test_results_are_sent_to_an_object_store(
    make_raster: Make,
    request_of: Callable[..., ForecastRequest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    region = make_raster("region_2020.tif")
    here = forecast_region(request_of(region, years=1)).folder
    asked = replace(request_of(region, years=1), out=Path("memory://bucket-of-a-test/run"))
    result = forecast_region(asked)
    store = MemoryFileSystem()
    sent = {Path(path).name: store.cat_file(path) for path in store.find("/bucket-of-a-test/run")}
    sent.pop(".landcast.sent")
    assert sent.keys() == {path.name for path in here.iterdir()}
    assert sent["forecast_2021.tif"] == (here / "forecast_2021.tif").read_bytes()
    assert result.folder.is_relative_to(tmp_path / "cache")
    assert forecast_region(asked).run == result.run
    with pytest.raises(OutputExistsError, match="holds files"):
        forecast_region(replace(asked, seed=9))
    with pytest.raises(RequestError, match="that the workers of --dask see, got memory://"):
        forecast_region(replace(asked, dask="tcp://nowhere:1", workers=1))
