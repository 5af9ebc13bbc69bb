"""The scale study of `benchmarks/`: its plan, the ground it compares, and one small run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from prepare_cases import APART_PX, dated, write, write_manifest

from forecast.evaluation.statistic import Observed
from forecast.evaluation.values import ValueScores
from preprocessing.manifest import read_manifest
from preprocessing.pairs import PairStore

ROOT = Path(__file__).parent.parent
PLACES = 8  # As many as places are drawn from, not blocks.


@pytest.fixture(scope="module")
def scale() -> Iterator[ModuleType]:
    before = list(sys.path)
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before


def study(scale: ModuleType, **changes: Any) -> Any:
    planned = scale.Study("m.csv", (), scale.EXTENTS_M, 500, None, {})
    return replace(planned, **changes)


def test_cells_that_make_a_cell_of_the_largest(scale: ModuleType) -> None:
    planned = study(scale)
    assert [planned.cells(extent) for extent in planned.extents_m] == [4, 2, None, 1]
    # A tile has 32 cells a side: three do not divide them.
    assert study(scale, extents_m=(51.2, 153.6)).cells(51.2) is None


@pytest.mark.parametrize("extents", [(40.0,), (0.0, 40.0), (80.0, 40.0), (40.0, 40.0)])
def test_extents_that_are_refused(scale: ModuleType, extents: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="extents"):
        study(scale, extents_m=extents)


def test_common_cells_are_those_of_a_coarser_forecast(scale: ModuleType) -> None:
    rng = torch.Generator().manual_seed(0)
    coarse = torch.randn((4, 2, 3, 8, 8), generator=rng)
    members = coarse.repeat_interleave(4, dim=3).repeat_interleave(4, dim=4)
    # What differs within a cell, without a mean, must not count.
    detail = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(16, 16)
    truth = torch.randn((2, 3, 8, 8), generator=rng)
    weight = torch.ones((2, 1, 8, 8))
    weight[0, 0, 2, 3] = 0
    fine_weight = weight.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    fine_weight[1, 0, 5, 5] = 0  # One part is not observed: the whole cell is not.
    weight[1, 0, 1, 1] = 0
    fine_truth = truth.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    found = scale.CommonCells(4).sums(members + detail, Observed(fine_truth, fine_weight))
    wanted = ValueScores().sums(coarse, Observed(truth, weight))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def made_places(folder: Path) -> Path:
    """Places to score, and two to train on: one is calm, one is built over."""
    lines = []
    rng = np.random.default_rng(0)
    names = [(f"val{i}", "val") for i in range(PLACES)] + [("calm", "train"), ("built", "train")]
    for number, (place, split) in enumerate(names):
        for year in (2016, 2018):
            raster = dated(year, size=128, east_px=number * APART_PX)
            if year == 2018:
                # Differs in every pixel by itself, so that wider cells differ less.
                data = raster.data + rng.normal(0, 0.04, raster.data.shape).astype(np.float32)
                if place == "built":
                    data[:, :, :64] = 0.9 - 0.2 * data[:, :, :64]
                raster = replace(raster, data=data)
            path = write(folder / f"{place}_{year}.tif", raster)
            line = {"dataset": "made", "place": place, "date": year, "path": path.name}
            lines.append({**line, "split": split})
    return write_manifest(folder, lines)


@pytest.mark.slow
@pytest.mark.usefixtures("_two_threads_at_most")
def test_one_run(
    scale: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = []

    def train(stores: list[str], out: Path, name: str, steps: int) -> None:
        trained.append((Path(stores[0]).name, name, steps))
        shutil.copytree(ROOT / "forecast" / "weights" / "base", out, dirs_exist_ok=True)

    monkeypatch.setattr(scale, "train", train)
    config = tmp_path / "calm.toml"
    config.write_text('max_changed = 0.3\nradiometry = "none"\n', encoding="utf-8")
    out = tmp_path / "out"
    command = [str(made_places(tmp_path)), "--config", str(config), "--out", str(out)]
    command += ["--extents", "1280", "640", "960", "--members", "2", "--steps", "7"]
    scale.main(command)

    assert trained == [(f"{name}m.zarr", "base-32", 7) for name in (640, 960, 1280)]
    stores = [PairStore(out / "pairs" / f"{name}m.zarr") for name in (640, 960, 1280)]
    sources = [set(store.column("source").tolist()) for store in stores]
    assert sources[0] == sources[1] == sources[2]
    assert len(sources[0]) == PLACES + 1
    assert not any("built" in source for source in sources[0])
    assert [len(store) // (PLACES + 1) for store in stores] == [4, 4, 1]
    assert [float(store.column("gsd_m")[0]) for store in stores] == [5.0, 7.5, 10.0]
    assert {image.place for image in read_manifest(out / "images.csv")} == {
        *(f"val{i}" for i in range(PLACES)),
        "calm",
    }
    record = json.loads((out / "scale.json").read_text(encoding="utf-8"))
    assert [row["extent_m"] for row in record["extents"]] == [640, 960, 1280]
    assert [row["extent_m"] for row in record["common_cells"]] == [640, 1280]
    # The same ground in the same cells: whatever the tiles, no change is as wrong.
    small, large = (row["crps"]["persistence"][0] for row in record["common_cells"])
    assert small == pytest.approx(large, rel=0.05)
    assert record["extents"][0]["crps"]["persistence"][0] > 1.05 * large
    # The largest in its own cells is what it is.
    assert record["common_cells"][1]["crps"]["landcast"] == pytest.approx(
        record["extents"][2]["crps"]["landcast"]
    )
    assert (out / "scale.png").read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(scale, "prepare_manifest", None)  # Done before: not called.
    scale.main(command)
    assert json.loads((out / "scale.json").read_text(encoding="utf-8")) == record
    with pytest.raises(SystemExit, match="another --out"):
        scale.main([*command, "--steps", "8"])
