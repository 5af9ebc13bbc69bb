"""Forecasts of a part of an image, and the area of change by zone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

from app.cli.commands import app as commands
from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from app.workflows import forecast_zones
from forecast.region import painting
from preprocessing.errors import NoValidPixelsError, RequestError

Make = Callable[..., Path]
Request = Callable[..., ForecastRequest]


pytestmark = pytest.mark.usefixtures("small_forecast_lift")


@pytest.fixture
def request_of(request_of: Request, make_raster: Make) -> Request:
    """Of one image that is taller than an area and what is seen around it."""
    return partial(request_of, make_raster("region_2020.tif", height=640, width=170))


def polygons(path: Path, *squares: tuple[int, int, int], **kept: object) -> Path:
    """Squares by their first column, first row and size in pixels of the image."""
    shapes = [
        shapely.box(x, y - 10 * size, x + 10 * size, y)
        for x, y, size in ((500_000 + 10 * c, 5_000_000 - 10 * r, s) for c, r, s in squares)
    ]
    gpd.GeoDataFrame(kept, geometry=shapes, crs=32632).to_file(path)
    return path


def test_an_area_of_interest_is_forecast_in_its_surroundings(
    request_of: Request, tmp_path: Path, make_raster: Make
) -> None:
    aoi = polygons(tmp_path / "aoi.gpkg", (20, 40, 60))
    result = forecast_region(request_of(aoi=aoi))
    with (
        rasterio.open(result.path("forecast", 2022)) as made,
        rasterio.open(tmp_path / "region_2020.tif") as source,
    ):
        assert made.shape == (60, 60)
        assert made.transform == source.transform @ Affine.translation(20, 40)
        assert made.dataset_mask().all()
        with rasterio.open(result.present) as present:
            part = source.read(window=((40, 100), (20, 80)))
            np.testing.assert_array_equal(present.read(), part)
    with rasterio.open(result.path("change_probability", 2022)) as layer:
        assert np.isfinite(layer.read(1)).all()
        expected = float(np.nansum(layer.read(1)))
    assert result.run["changed_area"]["2022"]["expected"] == pytest.approx(
        expected * 0.01, rel=0.02
    )
    # The same polygons again are the same request; others are not.
    again = forecast_region(request_of(aoi=aoi))
    assert again.run == result.run
    with pytest.raises(RequestError, match="holds files"):
        forecast_region(request_of(aoi=polygons(tmp_path / "b.gpkg", (20, 40, 61))))


def test_a_window_in_the_middle_of_an_image(request_of: Request, tmp_path: Path) -> None:
    result = forecast_region(request_of(aoi=polygons(tmp_path / "a.gpkg", (50, 401, 30))))
    with (
        rasterio.open(result.present) as present,
        rasterio.open(tmp_path / "region_2020.tif") as source,
    ):
        # Whole cells hold it: rows from 400 on, columns from 48 on.
        assert present.shape == (31, 32)
        inside = present.dataset_mask() > 0
        seen = np.zeros_like(inside)
        seen[1:, 2:] = True
        np.testing.assert_array_equal(inside, seen)
        there = source.read(window=((400, 431), (48, 80)))
        np.testing.assert_array_equal(present.read()[:, inside], there[:, inside])


def test_a_part_with_all_around_it_is_the_crop_of_the_whole(
    request_of: Request, tmp_path: Path
) -> None:
    aoi = polygons(tmp_path / "aoi.gpkg", (27, 241, 30))
    saved = {"save_members": True, "save_observations": True, "members": 3}
    region = forecast_region(request_of(out="region", **saved))
    part = forecast_region(request_of(out="part", aoi=aoi, halo=10_000, **saved))
    names = sorted(path.relative_to(part.folder) for path in part.folder.rglob("*.tif"))
    assert len(names) == 1 + 2 * (4 + 3 + 3)
    for name in names:
        with rasterio.open(part.folder / name) as here, rasterio.open(region.folder / name) as all_:
            # Whole cells hold it: rows from 240 on, columns from 24 on.
            assert here.shape == (31, 33)
            there = all_.read(window=((241, 271), (27, 57)))
            np.testing.assert_array_equal(here.read()[:, 1:, 3:], there)
    # Which member represents them was a question: not all are alike.
    pictures = {part.path("forecast", 2022, member=number).read_bytes() for number in range(3)}
    assert len(pictures) > 1
    alone = forecast_region(request_of(out="alone", aoi=aoi, halo=0, **saved))
    assert alone.run["changed_area"] != part.run["changed_area"]
    with pytest.raises(RequestError, match="--halo of 0 pixels or more, got -1"):
        request_of(aoi=aoi, halo=-1)


def test_zones_tell_what_the_probabilities_do(request_of: Request, tmp_path: Path) -> None:
    zones = polygons(
        tmp_path / "zones.gpkg", (0, 0, 170), (22, 33, 50), (900, 0, 9), name=["all", "part", "far"]
    )
    result = forecast_region(request_of(zones=zones))
    table = pd.read_csv(result.folder / "zones.csv")
    assert list(table["name"]) == ["all", "all", "part", "part"]
    assert list(table["year"]) == [2021, 2022] * 2
    np.testing.assert_allclose(table["zone_ha"], [289, 289, 25, 25])
    for year, by_year in table.groupby("year"):
        with rasterio.open(result.path("change_probability", int(year))) as layer:
            probability = layer.read(1)
        parts = probability[:170], probability[33:83, 22:72]
        np.testing.assert_allclose(
            by_year["changed_ha"], [0.01 * part.sum() for part in parts], rtol=0.02, atol=0.005
        )
        np.testing.assert_allclose(
            by_year["mean_probability"], [part.mean() for part in parts], rtol=0.02, atol=1e-4
        )
    assert (table["changed_ha_5"] <= table["changed_ha_50"]).all()
    assert (table["changed_ha_50"] <= table["changed_ha_95"]).all()
    assert (table["changed_ha_5"] < table["changed_ha_95"]).any()
    found = gpd.read_parquet(result.folder / "zones.parquet")
    assert found.crs == 32632
    pd.testing.assert_frame_equal(pd.DataFrame(found.drop(columns="geometry")), table)
    assert {p.name for p in result.folder.iterdir() if p.name.startswith(".")} == set()


def test_zones_of_a_finished_forecast(request_of: Request, tmp_path: Path) -> None:
    zones = polygons(tmp_path / "zones.gpkg", (22, 33, 50))
    result = forecast_region(request_of())
    done = CliRunner().invoke(commands, ["zones", str(result.folder), str(zones)])
    assert done.exit_code == 0, done.output
    by_command = (result.folder / "zones.csv").read_text()
    (result.folder / "zones.csv").unlink()
    run = (result.folder / "run.json").read_text()
    forecast_region(request_of(zones=zones))  # It is finished: only the table is made.
    assert (result.folder / "zones.csv").read_text() == by_command
    assert (result.folder / "run.json").read_text() == run
    # Another forecast into the folder does not leave them there.
    forecast_region(request_of(seed=1, overwrite=True))
    assert not (result.folder / "zones.csv").exists()


def test_wrong_areas_and_zones_are_refused_before_anything_is_made(
    request_of: Request, tmp_path: Path
) -> None:
    far = polygons(tmp_path / "far.gpkg", (9000, 0, 9))
    tiny = tmp_path / "tiny.gpkg"
    dot = shapely.Point(500_100.1, 4_999_900.1).buffer(1)
    gpd.GeoDataFrame(geometry=[dot], crs=32632).to_file(tiny)
    for wrong, said in (
        ({"aoi": far}, "lie elsewhere"),
        ({"zones": far}, "lie elsewhere"),
        ({"bbox": (0, 0, 1, 1)}, "lie elsewhere"),
        ({"aoi": tiny}, "smaller than one, beside the image or nodata"),
        ({"zones": polygons(tmp_path / "y.gpkg", (0, 0, 9), Year=[1])}, "has Year; rename"),
        (
            {
                "aoi": polygons(tmp_path / "a.gpkg", (20, 40, 60)),
                "zones": polygons(tmp_path / "b.gpkg", (100, 300, 60)),
            },
            "zones in the area of interest",
        ),
    ):
        with pytest.raises(RequestError, match=said):
            forecast_region(request_of(**wrong))
        assert not (tmp_path / "out" / "run.json").exists()
    with pytest.raises(RequestError, match="one of --bbox and --aoi"):
        request_of(aoi=far, bbox=(0, 0, 1, 1))


def test_an_area_of_nodata_is_refused(
    make_raster: Make, tiny_model_folder: Path, tmp_path: Path
) -> None:
    valid = np.ones((150, 170), bool)
    valid[20:100, 30:120] = False
    image = make_raster("holed_2020.tif", nodata=0, valid=valid)
    aoi = polygons(tmp_path / "hole.gpkg", (40, 30, 50))
    request = ForecastRequest(
        (image,), tmp_path / "out", 1, 2, model=str(tiny_model_folder), aoi=aoi
    )
    with pytest.raises(NoValidPixelsError, match=r"holed_2020\.tif that were observed"):
        forecast_region(request)
    assert not list((tmp_path / "out").glob("*"))


def test_zones_without_ground_are_counted(
    request_of: Request, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aoi = polygons(tmp_path / "a.gpkg", (20, 40, 60), (150, 40, 10))
    result = forecast_region(request_of(aoi=aoi))
    zones = polygons(tmp_path / "zones.gpkg", (22, 50, 20), (120, 50, 20), name=["in", "out"])
    forecast_zones(result.folder, zones)
    assert set(pd.read_csv(result.folder / "zones.csv")["name"]) == {"in"}
    assert "zones.gpkg: 1 polygon without ground that was forecast" in caplog.text
    # A run that was made before this was noted down has the spread of one image.
    run = result.folder / "run.json"
    told = json.loads(run.read_text())
    before = (result.folder / "zones.csv").read_text()
    del told["changed_area"]
    run.write_text(json.dumps(told))
    forecast_zones(result.folder, zones)
    assert (result.folder / "zones.csv").read_text() == before


def test_only_blocks_that_touch_the_area_are_computed(
    request_of: Request,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two corners of a window whose middle nothing is told of."""
    aoi = polygons(tmp_path / "aoi.gpkg", (0, 0, 60), (110, 580, 60))
    asked = {"aoi": aoi, "save_observations": True, "members": 1, "seed": 3}
    monkeypatch.setattr("forecast.region.member._PAINTED", 16)
    rows: list[int] = []
    paint = painting._paint_box

    def painted(*given: Any) -> None:
        rows.append(given[4].row)
        paint(*given)

    monkeypatch.setattr(painting, "_paint_box", painted)
    part = forecast_region(request_of(out="part", **asked))
    # Of 160 rows of cells; the area has the first 15 and the last 15.
    assert {row // 16 for row in rows} == {0, 9}
    few = len(rows)
    monkeypatch.setattr("app.forecasts.run.write_asked", lambda *_: None)
    whole = forecast_region(request_of(out="whole", **asked))
    assert len(rows) > 3 * few
    found = sorted(path.relative_to(part.folder) for path in part.folder.rglob("*.tif"))
    assert len(found) == 1 + 2 * 5
    for name in found:
        assert (part.folder / name).read_bytes() == (whole.folder / name).read_bytes()
