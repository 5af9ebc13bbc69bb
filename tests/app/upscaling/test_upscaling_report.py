"""Scores of an upscaler as a table with intervals, files and a page."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture

from app.scores.request import EvaluationRequest
from app.scores.upscaling import evaluate_upscaler
from app.upscaling.table import COMPARISONS, ScoredTiles, sections
from preprocessing.errors import MissingFileError, PairStoreError
from preprocessing.pairs.store import Pairs, PairStore
from sr.evaluation.restorers import BICUBIC, CONSISTENT, LANCZOS, NETWORK, PERSISTENCE
from sr.evaluation.tile_scores import SCORES, TileScores
from sr.network.pretrained import PSNR_FOLDER
from sr.network.rrdb import RRDBNet

METHODS = (NETWORK, CONSISTENT, BICUBIC, LANCZOS, PERSISTENCE)


def _tiles(values: list[float], weights: list[float] | None = None) -> TileScores:
    column = np.array(values)
    weight = np.ones(len(values)) if weights is None else np.array(weights)
    power = np.zeros((len(values), 4))
    return TileScores(
        dict.fromkeys(SCORES, column), dict.fromkeys(SCORES, weight), power + 1, power
    )


def test_means_are_by_weight_and_decibels_are_taken_last() -> None:
    tiles = ScoredTiles()
    found = {name: _tiles([0.01, 0.04, np.nan], [3, 1, 0]) for name in METHODS}
    tiles.add(["a"] * 3, ["x", "y", "z"], found)
    scores = sections(tiles, seed=0)[0].scores[NETWORK]
    assert scores["ssim"].value == pytest.approx((3 * 0.01 + 0.04) / 4)
    assert scores["psnr_changed_db"].value == pytest.approx(-10 * np.log10(0.07 / 4))
    assert scores["consistency_worst"].value == pytest.approx(0.04)
    assert np.isnan(scores["ssim"].low)  # Three places say nothing about places.


def test_differences_are_paired_and_judged_by_their_interval() -> None:
    generator = np.random.default_rng(0)
    base = generator.normal(30, 3, size=40)
    tiles = ScoredTiles()
    found = {name: _tiles(base.tolist()) for name in METHODS}
    found[CONSISTENT] = _tiles((base + 0.5 + 0.1 * generator.normal(size=40)).tolist())
    found[BICUBIC] = _tiles((base + 3 * generator.normal(size=40)).tolist())
    units = [str(number // 2) for number in range(40)]
    tiles.add(["a"] * 40, units, found)
    section = sections(tiles, seed=0)[0]
    assert (section.tiles, section.units) == (40, 20)
    by_name = {(c.ours, c.against): c for c in section.comparisons}
    assert tuple(by_name) == COMPARISONS
    # The same tiles: places differ by 3 dB, the difference is known to a twentieth of it.
    gap = by_name[CONSISTENT, NETWORK].difference["psnr_db"]
    assert gap.value == pytest.approx(0.5, abs=0.05)
    assert 0.02 < gap.high - gap.low < 0.1
    assert by_name[CONSISTENT, NETWORK].verdict("psnr_db") == "better"
    assert by_name[CONSISTENT, NETWORK].verdict("omission") == "worse"  # Lower is better.
    assert by_name[CONSISTENT, NETWORK].verdict("sharpness") == ""
    assert by_name[NETWORK, BICUBIC].verdict("psnr_db") == ""
    np.testing.assert_array_equal(section.spectra[NETWORK], 1)


def test_all_datasets_are_one_more_section() -> None:
    tiles = ScoredTiles()
    for name, value in (("a", 1.0), ("b", 4.0)):
        found = {method: _tiles([value] * 6) for method in METHODS}
        tiles.add([name] * 6, [str(i) for i in range(6)], found)
    found_sections = sections(tiles, seed=0)
    assert [s.dataset for s in found_sections] == ["a", "b", "all"]
    whole = found_sections[2]
    assert (whole.units, whole.scores[CONSISTENT]["ssim"].value) == (12, 2.5)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine places, one of them with a gap."""
    path = tmp_path_factory.mktemp("stores") / "pairs.zarr"
    made = PairStore.create(path)
    for number in range(9):
        past = picture(128, 128, seed=number)
        future = past.copy()
        future[:, 30:60, 30:60] = 200
        valid = np.ones((1, 128, 128), bool)
        valid[0, 0, 0] = number != 4
        made.append(
            Pairs(
                past=past[None],
                future=future[None],
                valid=valid,
                years=np.array([2.0], np.float32),
                gsd_m=np.ones(1, np.float32),
                row=np.zeros(1, np.int32),
                col=np.zeros(1, np.int32),
                split=np.ones(1, np.uint8),
                source=np.array([f"set/<place {number}>/2000/2002"]),
            )
        )
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=8, growth_channels=4, global_skip=True)
    folder = tmp_path_factory.mktemp("model")
    network.save_pretrained(folder)
    return folder


def test_the_report_says_which_share_of_a_pair_was_scored(
    store: Path, model: Path, tmp_path: Path
) -> None:
    pair = tmp_path / "pair"
    network = RRDBNet.from_pretrained(model)
    network.save_pretrained(pair / PSNR_FOLDER)
    network.register_to_config(alpha=0.7)
    network.save_pretrained(pair)
    for name, alpha, known in (("advised", None, 0.7), ("given", 0.2, 0.2)):
        report = evaluate_upscaler(
            EvaluationRequest(
                str(pair), [store], tmp_path / name, split="val", pairs=1, alpha=alpha
            ),
            pair,
        )
        assert f"with alpha {known}" in report.read_text()
        assert json.loads((tmp_path / name / "scores.json").read_text())["alpha"] == known


def test_files_hold_every_tile_and_score(store: Path, model: Path, tmp_path: Path) -> None:
    seen = []
    report = evaluate_upscaler(
        EvaluationRequest(str(model), [store], tmp_path, split="val", pairs=99),
        model,
        progress=lambda *x: seen.append(x),
    )
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record["tiles"] == 8  # The place with a gap is passed over.
    assert seen[-1] == ("scoring", 8, 8)
    section = record["sections"][0]
    assert set(section["methods"]) == set(METHODS)
    with (tmp_path / "tiles.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 * len(METHODS)
    assert len({row["source"] for row in rows}) == 8
    for row in rows:
        parts = (row["dataset"], row["place"], row["earlier"], row["later"])
        assert "/".join(parts) == row["source"]
        assert 0 <= float(row["hallucination"]) <= 1
    assert {row["later"] for row in rows} == {"2002"}
    for method in METHODS:
        mine = [float(row["psnr_db"]) for row in rows if row["method"] == method]
        value, low, high = section["methods"][method]["psnr_db"]
        assert np.mean(mine) == pytest.approx(value, rel=1e-4)
        assert low < value < high
    assert section["methods"][CONSISTENT]["consistency"][0] < 1e-3
    # Untrained, the network is bicubic interpolation.
    gaps = {(c["method"], c["against"]): c for c in section["comparisons"]}
    assert gaps[NETWORK, BICUBIC]["difference"]["psnr_db"][0] == pytest.approx(0, abs=0.01)
    page = (tmp_path / "report.html").read_text()
    assert "<place" not in page
    assert "stand-in" in page
    # Two charts; of two tiles the truth, all methods, a map of correctness and three more.
    assert page.count("<img") == 2 + 2 * (1 + len(METHODS) + 1 + 3)
    assert f"added detail of the {NETWORK}" in page
    assert f"{CONSISTENT} minus {NETWORK}" in report.read_text()


def test_pairs_bound_the_tiles_and_weights_must_exist(
    store: Path, model: Path, tmp_path: Path
) -> None:
    evaluate_upscaler(EvaluationRequest(str(model), [store], tmp_path, split="val", pairs=2), model)
    assert json.loads((tmp_path / "scores.json").read_text())["tiles"] == 2
    with pytest.raises(MissingFileError, match="VGG16"):
        evaluate_upscaler(
            EvaluationRequest(
                str(model),
                [store],
                tmp_path,
                split="val",
                pairs=2,
                perceptual_weights=tmp_path / "none",
            ),
            model,
        )


def test_a_store_of_gaps_only_is_refused(model: Path, tmp_path: Path) -> None:
    made = PairStore.create(tmp_path / "gaps.zarr")
    one = {"years": np.ones(1, np.float32), "gsd_m": np.ones(1, np.float32)}
    zero = np.zeros(1, np.int32)
    blank = np.zeros((1, 3, 128, 128), np.uint8)
    valid = np.zeros((1, 128, 128), bool)
    labels = {"split": np.ones(1, np.uint8), "source": np.array(["set/place/2000/2001"])}
    made.append(Pairs(past=blank, future=blank, valid=valid, row=zero, col=zero, **one, **labels))
    with pytest.raises(PairStoreError, match="without gaps"):
        evaluate_upscaler(
            EvaluationRequest(str(model), [tmp_path / "gaps.zarr"], tmp_path, split="val", pairs=2),
            model,
        )
