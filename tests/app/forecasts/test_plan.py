"""What a forecast would take, told before it is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

import app.forecasts.plan
from app.cli.entry import run
from app.forecasts.memory import affordable_workers, process_bytes
from app.forecasts.plan import plan_forecast
from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from preprocessing.errors import NoValidPixelsError, RequestError
from preprocessing.rasters.grid import Grid

Make = Callable[..., Path]
Request = Callable[..., ForecastRequest]


pytestmark = pytest.mark.usefixtures("small_forecast_lift")


def test_a_part_in_the_middle_tells_what_the_whole_takes(
    make_raster: Make, request_of: Request
) -> None:
    image = make_raster(height=600, width=700)
    short, long = (plan_forecast(request_of(image, years=years)) for years in (2, 4))
    assert (short.height, short.width, short.dates) == (600, 700, 1)
    assert short.sample == (512, 512)
    # 150 x 175 cells in tiles of 32 that are 16 apart.
    assert short.most_passes == 9 * 10 * 2 * 2
    assert long.most_passes == 2 * short.most_passes
    assert long.result_bytes == pytest.approx(2 * short.result_bytes)
    assert long.scratch_bytes > short.scratch_bytes > 600 * 700 * 15
    assert short.seconds > 0
    # A small area, with all around it: as much is forecast, little written.
    part = plan_forecast(request_of(image, bbox=(9.01, 45.13, 9.02, 45.14), halo=10_000))
    assert (part.height, part.width, part.most_passes) == (600, 700, short.most_passes)
    assert part.result_bytes < short.result_bytes / 20
    assert not request_of(image).out.exists()


def test_results_of_members_and_the_cube_are_counted(
    make_raster: Make, request_of: Request
) -> None:
    image = make_raster(height=64, width=64)
    plain, some, more, cube = (
        plan_forecast(request_of(image, years=1, **options)).result_bytes
        for options in (
            {},
            {"save_members": True, "members": 4},
            {"save_members": True, "members": 8},
            {"cube": True},
        )
    )
    assert more - plain == pytest.approx(2 * (some - plain), rel=0.05)
    assert some > plain
    assert cube > 1.1 * plain


def test_zones_that_cannot_be_counted_are_told(
    make_raster: Make, request_of: Request, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=r"none\.gpkg"):
        plan_forecast(request_of(make_raster(), zones=tmp_path / "none.gpkg"))


def test_loading_is_not_part_of_the_sample(
    make_raster: Make, request_of: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as long for any region; scaled by the area it would be most of the forecast."""
    done: list[str] = []
    for name in ("load_networks", "forecast_images"):
        original = getattr(app.forecasts.plan, name)

        def noted(*args: Any, name: str = name, original: Any = original, **kwargs: Any) -> Any:
            done.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(app.forecasts.plan, name, noted)
    plan_forecast(request_of(make_raster()))
    assert done == ["load_networks", "forecast_images"]


def test_ground_that_was_not_seen_in_the_middle_is_no_sample(
    make_raster: Make, request_of: Request
) -> None:
    valid = np.zeros((1200, 1200), bool)
    valid[200:330, 200:330] = True
    image = make_raster(height=1200, width=1200, valid=valid, nodata=0)
    assert plan_forecast(request_of(image)).sample == (512, 512)
    valid[:] = False
    empty = make_raster("empty_2020.tif", height=1200, width=1200, valid=valid, nodata=0)
    with pytest.raises(NoValidPixelsError, match=r"observed in empty_2020\.tif"):
        plan_forecast(request_of(empty))


def test_the_command_prints_it(
    make_raster: Make, tmp_path: Path, tiny_model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = make_raster()
    arguments = [str(image), "--out", str(tmp_path / "out"), "--model", str(tiny_model_folder)]
    assert run(["plan", *arguments, "--years", "1"]) == 0
    said = capsys.readouterr().out
    assert "170 x 150 pixels, dates: 1" in said
    assert "time: about" in said
    assert not (tmp_path / "out").exists()


def test_there_are_no_more_workers_than_memory_is_for(caplog: pytest.LogCaptureFixture) -> None:
    county = Grid(20_000, 20_000, Affine(10, 0, 0, 0, -10, 0), None)
    each = process_bytes(county)
    assert 1e9 < each < 1.5e9
    assert affordable_workers(16, county, 3 * each + 5) == 3
    assert "3 workers in place of 16" in caplog.text
    assert affordable_workers(2, county, 3 * each) == 2
    with pytest.raises(RequestError, match=r"--max-memory of 1\.2GB or more"):
        affordable_workers(1, county, each - 1)


def test_a_forecast_keeps_to_it(make_raster: Make, request_of: Request) -> None:
    image = make_raster()
    with pytest.raises(RequestError, match="--max-memory"):
        forecast_region(request_of(image, max_memory=10**6))
    assert not request_of(image).out.exists()
    # One process has room: the members are made in this one.
    result = forecast_region(request_of(image, workers=2, max_memory=10**9))
    assert result.run["arguments"]["workers"] == 1
