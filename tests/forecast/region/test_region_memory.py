"""Planes of a region are worked through in strips: the same results, and memory that stays."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from region_cases import ground_of, run_of, stated

from forecast.region.change_allocation import allocated, event_levels, parcels_of
from forecast.region.member import MemberPaths
from forecast.region.objects import region_objects
from preprocessing.errors import RequestError
from preprocessing.running.disk_space import disk_zeros
from preprocessing.tiles.cells import CELL

Make = Callable[..., Path]
_STRIPS = "forecast.region.windows._STRIP"


def _future(paths: list[Path], folder: Path) -> list[NDArray[np.generic]]:
    folder.mkdir()
    ground = ground_of(paths, folder / "ground")
    run_of(ground, folder / "m", stated(ground, lambda years: 0.05 * years)).years(4)
    members = MemberPaths(folder / "m", 0)
    found: list[NDArray[np.generic]] = [ground.objects, ground.earlier.cells, ground.kinds]
    for year in (2021, 2024):
        changes = members.open_changes(ground, year).whole()
        found += [members.open_state(ground, year)[...], *vars(changes).values()]
    return found


def test_what_is_held_at_once_changes_no_value(
    make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = {"height": 300, "width": 350}
    valid = np.ones((300, 350), bool)
    valid[100:150, :90] = False
    paths = [
        make_raster("region_2015.tif", seed=1, **size),
        make_raster("region_2020.tif", valid=valid, **size),
    ]
    whole = _future(paths, tmp_path / "whole")
    monkeypatch.setattr(_STRIPS, 700)
    for one, other in zip(whole, _future(paths, tmp_path / "strips"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("strip", [190, 3000])
def test_events_on_the_disk_are_those_in_memory(
    strip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    rows, cols = np.indices((130, 190))
    objects = rows // 7 * 7 * 190 + cols // 9 * 9
    seen = rng.random(objects.shape) > 0.1
    probability = (rng.random(objects.shape) ** 4).astype(np.float32)

    def found(**where: object) -> list[NDArray[np.bool_]]:
        levels = event_levels(objects, seed=1, member=1, **where)
        parcels = parcels_of(objects, seen, 10.0, **where)
        first = allocated(probability / 2, levels, parcels, ~seen & seen, seen, **where)
        return [first, allocated(probability, levels, parcels, first, seen, **where)]

    whole = found()
    monkeypatch.setattr(_STRIPS, strip)
    for one, other in zip(whole, found(zeros=disk_zeros(tmp_path)), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one[seen].sum() > 100
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_region(
    make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_STRIPS, 2**13)
    monkeypatch.setitem(region_objects.__kwdefaults__, "block", 32)
    monkeypatch.setattr("preprocessing.rasters.image_source._HELD_PX", 2**18)
    peaks, sides = [], (1024, 1664)
    for side in sides:
        paths = [
            make_raster(f"side{side}_{year}.tif", height=side, width=side) for year in (2015, 2020)
        ]
        (tmp_path / str(side)).mkdir()
        tracemalloc.start()
        ground = ground_of(paths, tmp_path / str(side) / "ground")
        run_of(ground, tmp_path / str(side) / "m", stated(ground, lambda years: 0.001)).years(1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    cells = (sides[1] ** 2 - sides[0] ** 2) / CELL**2
    assert (peaks[1] - peaks[0]) / cells < 30


def test_blocks_that_are_painted_apart_make_the_same_states(
    make_raster: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = ground_of([make_raster("region_2020.tif")], tmp_path / "ground")
    network = stated(ground, lambda years: 0.1 * years)
    run_of(ground, tmp_path / "whole", network).years(5)
    monkeypatch.setattr("forecast.region.member._PAINTED", 8)
    run = run_of(ground, tmp_path / "parts", network)
    legs = 0
    while horizons := run.decide(5):
        for part in (2, 0, 3, 1):
            run.paint(horizons, part, 4)
        run.paint(horizons, 3, 4)  # As when a worker was lost after its work.
        run.finish(horizons)
        legs += 1
    assert legs == 2  # Of three years, which the network knows, and of two.
    for year in range(2021, 2026):
        paths = [MemberPaths(tmp_path / name, 0) for name in ("whole", "parts")]
        states = [one.open_state(ground, year)[...] for one in paths]
        np.testing.assert_array_equal(*states)
        assert (states[0] != ground.stored).any()
    assert not list((tmp_path / "parts").glob("painting_*"))


def test_a_worker_that_outlived_its_run_writes_nothing(make_raster: Make, tmp_path: Path) -> None:
    path = make_raster("region_2020.tif")
    ground = ground_of([path], tmp_path / "ground")
    run = run_of(ground, tmp_path / "m", stated(ground, lambda years: 0.1 * years))
    horizons = run.decide(2)
    shutil.rmtree(tmp_path / "ground")
    ground_of([path], tmp_path / "ground")
    with pytest.raises(RequestError, match="begun anew"):
        run.paint(horizons)
    assert not list((tmp_path / "m").glob("painting_*/c"))
