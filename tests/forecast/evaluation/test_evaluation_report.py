from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from html_reader import Page
from pictures import picture

from app.scores.pairs import evaluate
from app.scores.request import EvaluationRequest
from app.upscaling.tile_rasters import TILE_MAPS
from forecast.evaluation.reports.charts import look
from forecast.evaluation.reports.record import verdicts
from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.probabilistic import RANK_CLASSES
from forecast.evaluation.scores.results import Comparison, MethodScores, Section
from preprocessing.errors import MissingFileError, ModelFolderError, OutputExistsError, RequestError
from preprocessing.pairs.store import Pairs, PairStore
from preprocessing.quality.scores import Estimate
from sr.network.rrdb import RRDBNet


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine places, of a name that is no HTML, two years apart."""
    path = tmp_path_factory.mktemp("stores") / "pairs.zarr"
    made = PairStore.create(path)
    for number in range(9):
        past = picture(128, 128, seed=number)
        future = past.copy()
        future[:, :40] = picture(40, 128, seed=50 + number)
        made.append(
            Pairs(
                past=past[None],
                future=future[None],
                valid=np.ones((1, 128, 128), bool),
                years=np.full(1, 2, np.float32),
                gsd_m=np.full(1, np.nan, np.float32),
                row=np.zeros(1, np.int32),
                col=np.zeros(1, np.int32),
                split=np.ones(1, np.uint8),
                source=np.array([f"<i>set/{number}/2010-01-01/2012-01-01"]),
            )
        )
    return path


@pytest.fixture(scope="module")
def scores(
    store: Path, tiny_model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[str, int, int]]]:
    out, ticks = tmp_path_factory.mktemp("scores"), []
    evaluate(
        EvaluationRequest(
            str(tiny_model_folder),
            [store],
            out,
            members=3,
            against=[str(tiny_model_folder)],
        ),
        progress=lambda *tick: ticks.append(tick),
    )
    return out, ticks


def test_every_number_is_recorded(scores: tuple[Path, list], tiny_model_folder: Path) -> None:
    out, ticks = scores
    assert ticks[-1] == ("scoring", 9, 9)
    record = json.loads((out / "scores.json").read_text())
    ours, other = (record["scores"]["<i>set"][n] for n in ("landcast", tiny_model_folder.name))
    assert ours == other  # The same weights and the same noise.
    assert set(ours) <= set(SCORES)
    assert {"crps", "rmse", "rank_deviation", "gabor_distance"} <= set(ours)
    whole = record["sections"][0]
    assert whole["horizon_years"] == "all"
    assert whole["units"] == 9
    value, low, high = whole["methods"]["persistence"]["scores"]["crps"]
    assert value == record["scores"]["<i>set"]["persistence"]["crps"]
    assert low < value < high
    same = whole["comparisons"][tiny_model_folder.name]
    assert same["difference"]["crps"] == [0, 0, 0]
    assert same["verdict"] == {}
    assert len(whole["methods"]["landcast"]["curves"]["rank_share"]) == RANK_CLASSES
    assert record["bootstrap"]["units"] == {"<i>set": "places"}
    assert record["members"] == 3


def test_the_page_shows_all_and_needs_nothing_from_elsewhere(
    scores: tuple[Path, list], tiny_model_folder: Path
) -> None:
    text = (scores[0] / "report.html").read_text()
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "data"}:
                assert value
                assert value.startswith("data:image/")
    assert "url(" not in text
    assert "<i>set" in page.text  # As text, with its brackets.
    for words in (
        "stand-in",
        "dressed persistence",
        tiny_model_folder.name,
        "/2010-01-01/2012-01-01 at 0, 0: 2010, 2 years ahead",
    ):
        assert words in page.text
    assert "nan" not in page.text.lower()
    charts = [a["alt"] for tag, a in page.tags if a.get("class") == "chart"]
    assert charts == ["Rank histograms", "RMSE of the mean over that of nothing changes"]
    pictures = [a for tag, a in page.tags if tag == "img" and a.get("class") != "chart"]
    assert len(pictures) == 3 * 5


def test_the_short_report_has_scores_and_verdicts(scores: tuple[Path, list]) -> None:
    text = (scores[0] / "report.md").read_text()
    record = json.loads((scores[0] / "scores.json").read_text())
    crps = record["scores"]["<i>set"]["landcast"]["crps"]
    assert f"| <i>set (9) | landcast | {255 * crps:.2f} " in text
    gap = record["sections"][0]["comparisons"]["persistence"]["difference"]["crps"]
    assert f"| {255 * gap[0]:+.2f} | [{255 * gap[1]:.2f}, {255 * gap[2]:.2f}] |" in text


def test_a_run_again_gives_the_same_files(
    scores: tuple[Path, list], store: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    same = [str(tiny_model_folder)]
    evaluate(EvaluationRequest(same[0], [store], tmp_path, members=3, against=same))
    for name in ("scores.json", "report.md", "report.html"):
        assert (tmp_path / name).read_text() == (scores[0] / name).read_text()
    with pytest.raises(OutputExistsError, match="--overwrite"):
        evaluate(EvaluationRequest(same[0], [store], tmp_path, members=3, pairs=4, seed=1))
    evaluate(
        EvaluationRequest(same[0], [store], tmp_path, members=3, pairs=4, seed=1, overwrite=True)
    )
    assert json.loads((tmp_path / "scores.json").read_text())["pairs"] == 4


def test_requests_that_make_no_sense_are_refused(
    store: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    model, out = str(tiny_model_folder), tmp_path / "scores"
    with pytest.raises(RequestError, match="--split"):
        evaluate(EvaluationRequest(model, [store], out, split="all"))
    with pytest.raises(RequestError, match="upscaler"):
        evaluate(EvaluationRequest("rrdb16", [store], out, against=[model]))
    with pytest.raises(MissingFileError, match="VGG16"):
        evaluate(
            EvaluationRequest("rrdb16", [store], out, perceptual_weights=tmp_path / "vgg16.pth")
        )
    with pytest.raises(RequestError, match="--alpha"):
        evaluate(EvaluationRequest(model, [store], out, alpha=0.5))
    with pytest.raises(ModelFolderError, match="nowhere"):
        evaluate(EvaluationRequest(model, [store], out, against=["nowhere"]))
    (tmp_path / "file").touch()
    with pytest.raises(OutputExistsError, match="file"):
        evaluate(EvaluationRequest(model, [store], tmp_path / "file"))
    assert not out.exists()


def test_alpha_of_an_upscaler(store: Path, tmp_path: Path) -> None:
    pair = tmp_path / "pair"
    bicubic = RRDBNet(num_blocks=1, global_skip=True)
    bicubic.save_pretrained(pair / "psnr")
    wrong = RRDBNet(num_blocks=1, global_skip=True, alpha=0.5)
    torch.nn.init.constant_(wrong.conv_last.bias, 0.2)
    wrong.save_pretrained(pair)
    loss = []
    for alpha in (0.0, None, 1.0):
        evaluate(
            EvaluationRequest(
                str(pair), [store], tmp_path / "out", pairs=2, alpha=alpha, overwrite=True
            )
        )
        scores = json.loads((tmp_path / "out" / "scores.json").read_text())
        methods = scores["sections"][0]["methods"]
        loss.append(methods["bicubic"]["psnr_db"][0] - methods["network"]["psnr_db"][0])
    # The untrained PSNR network interpolates; bfloat16 and clipping do little.
    assert abs(loss[0]) < 0.1
    assert loss[0] < loss[1] < loss[2]


def test_restored_tiles_are_kept_with_maps(store: Path, tmp_path: Path) -> None:
    network = RRDBNet(num_blocks=1, global_skip=True)
    network.save_pretrained(tmp_path / "model")
    with pytest.raises(RequestError, match="--rasters"):
        evaluate(EvaluationRequest("base", [store], tmp_path / "out", rasters=True))
    evaluate(
        EvaluationRequest(str(tmp_path / "model"), [store], tmp_path / "out", pairs=2, rasters=True)
    )
    found = sorted(path.name for path in (tmp_path / "out" / "tiles").iterdir())
    assert len(found) % 2 == 0
    assert found[0] == found[1].replace(".tif", ".maps.tif")
    for name in found:
        with rasterio.open(tmp_path / "out" / "tiles" / name) as dataset:
            pixels = dataset.read()
            if not name.endswith(".maps.tif"):
                assert pixels.shape == (3, 128, 128)
                continue
            assert dataset.descriptions == TILE_MAPS
        shares, off = pixels[:3], pixels[3]
        judged = np.isfinite(shares).all(axis=0)
        np.testing.assert_allclose(shares[:, judged].sum(axis=0), 1, atol=1e-5)
        assert off.min() >= 0
        assert off.max() > 0.01  # The network alone has not the means of the input.


def estimated(value: float, half: float) -> Estimate:
    return Estimate(value, value - half, value + half)


def test_verdicts_follow_the_way_that_is_better() -> None:
    values = {
        "crps": estimated(-1, 0.5),
        "lasting_merit": estimated(-1, 0.5),
        "rmse": estimated(0.2, 0.5),
        "detail": estimated(3, 0.1),
        "lasting_auc": Estimate(3, np.nan, np.nan),
    }
    comparison = Comparison("other", 3, values, {})
    assert [comparison.verdict(name) for name in values] == ["better", "worse", "", "", ""]
    assert comparison.verdict("flicker") == ""


def test_numbers_are_shown_in_their_units() -> None:
    assert SCORES["crps"].shown(0.1) == "25.50"
    assert SCORES["crps"].shown(0.1, sign=True) == "+25.50"
    assert SCORES["lasting_merit"].shown(0.1239) == "0.124"
    assert SCORES["lasting_merit"].shown(float("nan")) == "-"
    assert SCORES["crps"].bounds(estimated(0.1, 0.1)) == "[0.00, 51.00]"
    assert SCORES["crps"].bounds(Estimate(0.1, float("nan"), float("nan"))) == ""


def test_many_methods_are_told_apart() -> None:
    names = [f"variant {number}" for number in range(14)]
    assert len({look(names, name) for name in names}) == len(names)


def test_a_dataset_without_a_valid_pixel_has_no_verdict() -> None:
    methods = tuple(MethodScores(name, 4, {}, {}) for name in ("a", "b"))
    blind = Section("set", "all", 4, 9, methods, (Comparison("b", 4, {}, {}),))
    assert verdicts([blind]).splitlines()[-1].replace(" ", "") == "|set|b|-||-||"
