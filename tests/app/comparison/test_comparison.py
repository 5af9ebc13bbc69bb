"""`landcast compare`: what is degraded, restored, scored and written."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pictures import picture

from app.cli.entry import run
from app.comparison import ComparisonRequest, compare
from app.comparison.figures import liveliest
from app.comparison.images import degrade, find_images
from app.comparison.methods import Method, bicubic, classical_methods, networks
from app.comparison.scores import METRICS, score
from app.comparison.summary import Scores, summarise
from forecast.evaluation.scores.perceptual import FeatureDistance
from preprocessing.errors import (
    MissingFileError,
    ModelFolderError,
    NoValidPixelsError,
    OutputExistsError,
    RequestError,
    UnreadableRasterError,
)
from sr.network.pretrained import is_pair, shipped_models
from sr.network.rrdb import RRDBNet

_DISTANCE = FeatureDistance.of(None).between


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("networks") / "tiny"
    RRDBNet(num_blocks=1).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them in a folder of its own."""
    made = tmp_path / "pictures"
    for number, name in enumerate(("a.png", "b.png", "deeper/a.png")):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = picture(70, 67, seed=number).transpose(1, 2, 0)
        noise = np.random.default_rng(number).normal(0, 8, pixels.shape)
        cv2.imwrite(str(path), (pixels + noise).clip(0, 255).astype(np.uint8))
    return made


def request(*images: Path, out: Path, **options: object) -> ComparisonRequest:
    return ComparisonRequest(tuple(map(str, images)), out, **options)  # type: ignore[arg-type]


def test_a_comparison_of_a_folder(folder: Path, network_folder: Path, tmp_path: Path) -> None:
    asked = request(
        folder,
        out=tmp_path / "out",
        models=(str(network_folder),),
        levels=(10, None),
        save_degraded=tmp_path / "kept",
    )
    seen = []
    report = compare(asked, progress=lambda *call: seen.append(call))
    assert report.parent == tmp_path / "out"
    assert seen[-1] == ("restoring", 3, 3)

    with (report.parent / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    record = json.loads((report.parent / "comparison.json").read_text(encoding="utf-8"))
    names = [method["name"] for method in record["methods"]]
    assert {"bicubic", "Lanczos", "3D LUT", "CLAHE", "tiny", "non-local means, tiny"} <= set(names)
    assert len(rows) == 3 * 2 * len(names)
    assert {row["image"] for row in rows} == {"a", "b", "a_2"}
    assert {(row["height"], row["width"]) for row in rows} == {("68", "64")}
    stages = {method["name"]: method["stage"] for method in record["methods"]}
    assert stages["3D LUT"] == stages["CLAHE"] == "after bicubic x4"
    assert record["left_out"] == {}

    page = (report.parent / "report.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    assert "no method is called better or worse" in page
    written = {path.name for path in report.parent.iterdir()}
    assert {"lut.cube", "curves.png", "crops_a.png", "crops_a_2.png", "report.md"} <= written
    assert {path.name for path in tmp_path.iterdir()} == {"out", "kept", "pictures"}

    kept = tmp_path / "kept"
    original = cv2.imread(str(kept / "original" / "b.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(original, cv2.imread(str(folder / "b.png"))[1:69, 1:65])
    stored = cv2.imread(str(kept / "jpeg_10" / "b.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    image = find_images([str(folder / "b.png")], asked)[0]
    low = degrade(image.read(), 10, asked, name="b")
    assert np.array_equal(stored, np.rint(low * 255))
    assert cv2.imread(str(kept / "no_jpeg" / "b.png"), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    with (kept / "degraded.csv").open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 6
    assert all((kept / row["degraded"]).is_file() for row in listed)

    with pytest.raises(OutputExistsError, match="overwrite"):
        compare(asked)


def test_the_same_seed_gives_the_same_scores(
    folder: Path, network_folder: Path, tmp_path: Path
) -> None:
    options = {"models": (str(network_folder),), "levels": (30,)}
    texts = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        asked = request(folder / "a.png", out=tmp_path / name, seed=seed, **options)
        compare(asked)
        text = (tmp_path / name / "comparison.csv").read_text(encoding="utf-8")
        texts.append([line.rsplit(",", 1)[0] for line in text.splitlines()])
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_noise_is_shared_by_levels_and_differs_by_image(tmp_path: Path) -> None:
    asked = request(Path("x"), out=tmp_path, noise=0.05)
    grey = np.full((64, 64, 3), 0.5, np.float32)
    plain = degrade(grey, None, asked, name="a")
    assert plain.shape == (16, 16, 3)
    assert plain.std() == pytest.approx(0.05, rel=0.15)
    assert np.array_equal(plain, degrade(grey, None, asked, name="a"))
    assert not np.array_equal(plain, degrade(grey, None, asked, name="b"))
    fine = degrade(grey, 95, asked, name="a")
    assert np.corrcoef(plain.mean(axis=2).ravel(), fine.mean(axis=2).ravel())[0, 1] > 0.8


def test_one_image_has_no_table_unless_others_are_named(
    folder: Path, network_folder: Path, tmp_path: Path
) -> None:
    options = {"models": (str(network_folder),), "levels": (None,)}
    compare(request(folder / "a.png", out=tmp_path / "one", **options))
    record = json.loads((tmp_path / "one" / "comparison.json").read_text(encoding="utf-8"))
    assert "--fit" in record["left_out"]["3D LUT"]
    assert not (tmp_path / "one" / "lut.cube").exists()
    assert not (tmp_path / "one" / "curves.png").exists()
    options["fit"] = (str(folder / "b.png"),)
    compare(request(folder / "a.png", out=tmp_path / "two", **options))
    record = json.loads((tmp_path / "two" / "comparison.json").read_text(encoding="utf-8"))
    assert record["left_out"] == {}
    with pytest.raises(RequestError, match="in both"):
        compare(request(folder / "b.png", out=tmp_path / "three", **options))


def test_the_table_of_an_image_is_not_fitted_on_it(
    folder: Path, network_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.comparison import study

    fitted = []
    monkeypatch.setattr(study, "_restore", lambda images, tables, *_, **__: fitted.append(tables))
    asked = request(folder, out=tmp_path / "out", models=(str(network_folder),), levels=(None,))
    with pytest.raises(TypeError):
        compare(asked)
    images = find_images([str(folder)], asked)
    others = [images[1], images[2]]
    parts = []
    for image in others:
        pixels = image.read()
        low = degrade(pixels, None, asked, name=image.name)
        parts.append(study.LutFit.of(bicubic(low), pixels))
    wanted = (parts[0] + parts[1]).solve().table
    assert np.allclose(fitted[0].each[0].table, wanted, atol=1e-5)
    assert not np.allclose(fitted[0].kept.table, wanted, atol=1e-5)
    assert not (tmp_path / "out").exists()


def test_all_methods_enlarge_without_a_shift() -> None:
    y, x = np.mgrid[:32, :32] / 32
    low = np.stack([x, y, (x + y) / 2], axis=2).astype(np.float32) * 0.5 + 0.2
    for method in classical_methods():
        large = method.run(low)
        assert large.shape == (128, 128, 3), method.name
        assert large.dtype == np.float32
        if not method.retones:
            means = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
            assert np.abs(means - low)[3:-3, 3:-3].max() < 0.005, method.name


def test_methods_with_all_shipped_models() -> None:
    names = [method.name for method in networks(())]
    counts = [2 if is_pair(name) else 1 for name in shipped_models()]
    assert len(names) == 2 * sum(counts)
    assert {"rrdb16", "landcast GAN"} & set(names)
    with pytest.raises(ModelFolderError, match="nothing-here"):
        networks(["nothing-here"])
    with pytest.raises(RequestError, match="twice"):
        networks(["rrdb16", "rrdb16"])


def test_scores_of_a_known_error() -> None:
    truth = picture(64, 64).transpose(1, 2, 0).astype(np.float32) / 255
    perfect = score(truth, truth, _DISTANCE)
    assert perfect == pytest.approx({"ssim": 1.0, "psnr_db": 100.0, "mse": 0.0, "distance": 0.0})
    off = score(truth + np.float32(0.1), truth, _DISTANCE)
    assert off["mse"] == pytest.approx(0.01, rel=1e-4)
    assert off["psnr_db"] == pytest.approx(20.0, abs=1e-3)
    assert 0.5 < off["ssim"] < 1
    edge = truth.copy()
    edge[:4] = 0
    assert score(edge, truth, _DISTANCE)["mse"] == 0
    # SSIM depends on the range: with a wrong one of 255 everything is alike.
    noise = np.random.default_rng(0).normal(0, 0.2, truth.shape).astype(np.float32)
    assert score(truth + noise, truth, _DISTANCE)["ssim"] < 0.5
    assert list(METRICS) == list(perfect)


def made_scores(gains: list[float]) -> Scores:
    """Bicubic at 20 dB and one method that gains so much on each image, at one level."""
    methods = [Method("bicubic", "enlarges", bicubic), Method("other", "enlarges", bicubic)]
    values = np.zeros((len(gains), 1, 2, len(METRICS)))
    values[..., 1] = 20.0
    values[:, 0, 1, 1] += gains
    values[:, 0, 1, 3] += gains
    sizes = [(1000, 500)] * len(gains)
    names = [str(i) for i in range(len(gains))]
    return Scores(names, sizes, [10], methods, values, np.full((len(gains), 1, 2), 0.25))


def test_better_and_worse_need_an_interval_beside_zero() -> None:
    first, other = summarise(made_scores([1.0, 1.2, 0.8, 1.1, 0.9, 1.0]), seed=0)
    assert first.gains == {}
    assert other.level == "JPEG 10"
    assert other.gains["psnr_db"].value == pytest.approx(1.0)
    assert 0.8 < other.gains["psnr_db"].low < 1 < other.gains["psnr_db"].high < 1.2
    assert [other.verdict(name) for name in METRICS] == ["", "better", "", "worse"]
    assert (other.ranks["psnr_db"].value, other.ranks["distance"].value) == (1.0, 2.0)
    assert other.ranks["ssim"].value == 1.5
    assert other.seconds_per_megapixel == pytest.approx(0.5)
    unsure = summarise(made_scores([1.0, -1.2, 0.8, -1.1, 0.9, -1.0]), seed=0)[1]
    assert unsure.verdict("psnr_db") == ""
    few = summarise(made_scores([1.0] * 4), seed=0)[1]
    assert np.isnan(few.gains["psnr_db"].low)
    assert few.verdict("psnr_db") == ""


def test_a_summary_over_levels_comes_first() -> None:
    one = made_scores([1.0] * 5)
    two = dataclasses.replace(
        one,
        levels=[10, None],
        values=np.concatenate([one.values, one.values + 2], axis=1),
        seconds=np.repeat(one.seconds, 2, axis=1),
    )
    found = summarise(two, seed=0)
    assert [s.level for s in found] == ["all", "all", "JPEG 10", "JPEG 10", "no JPEG", "no JPEG"]
    assert [s.scores["psnr_db"].value for s in found] == [21, 22, 20, 21, 22, 23]


def test_the_crop_is_where_the_detail_is() -> None:
    flat = np.zeros((200, 240, 3), np.float32)
    flat[60:150, 100:190] = np.random.default_rng(0).random((90, 90, 3))
    row, col = liveliest(flat)
    assert row % 4 == col % 4 == 0
    assert 52 <= row <= 60
    assert 92 <= col <= 100


def test_what_cannot_be_read_is_refused(
    folder: Path, tmp_path: Path, make_raster: Callable[..., Path]
) -> None:
    out = tmp_path / "out"
    torn = tmp_path / "torn.png"
    torn.write_bytes((folder / "a.png").read_bytes()[:500])
    empty = tmp_path / "empty"
    empty.mkdir()
    valid = np.ones((150, 170), bool)
    valid[70:80, 70:80] = False
    small = make_raster("small.tif", height=60, width=90)
    cases = [
        (tmp_path / "none.png", MissingFileError, "none.png"),
        (empty, MissingFileError, "images in the folder"),
        (torn, UnreadableRasterError, "torn.png"),
        (make_raster("gap.tif", valid=valid, nodata=0), NoValidPixelsError, "gap.tif"),
        (small, RequestError, "90 x 60"),
        (make_raster("words.tif", dtype="uint16"), RequestError, "words.tif"),
    ]
    for path, error, words in cases:
        with pytest.raises(error, match=words):
            compare(request(path, out=out))
    with pytest.raises(RequestError, match="more than once"):
        compare(request(folder, folder / "a.png", out=out))
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_requests_out_of_range_are_refused(tmp_path: Path) -> None:
    for options, words in (
        ({"levels": (3,)}, "quality"),
        ({"levels": (10, 10)}, "once"),
        ({"crop_px": 32}, "crop"),
        ({"noise": 2.0}, "noise"),
        ({"save_degraded": tmp_path / "kept"}, "beside"),
    ):
        with pytest.raises(RequestError, match=words):
            request(tmp_path, out=tmp_path, **options)


def test_other_files_are_never_replaced(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="other files"):
        compare(request(folder / "a.png", out=folder, overwrite=True))
    assert (folder / "a.png").is_file()


def test_command_line(
    folder: Path, network_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = [str(folder / "a.png"), "--out", str(out), "--model", str(network_folder)]
    assert run(["compare", *arguments, "--jpeg", "none", "--noise", "0"]) == 0
    assert "| bicubic | enlarges |" in capsys.readouterr().out
    assert run(["compare", *arguments, "--jpeg", "none", "--noise", "0"]) == 2
    assert run(["compare", *arguments, "--jpeg", "best", "--overwrite"]) == 2
    assert "10,50,none" in capsys.readouterr().err
    assert (out / "report.html").is_file()


def test_pictures_of_every_depth_are_read_and_unfit_ones_of_folders_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "a_grey.png"), values[..., 0])
    cv2.imwrite(str(folder / "b_deep.png"), values[..., :3].astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "c_clear.png"), values)
    cv2.imwrite(str(folder / "d_small.png"), values[:20])
    (folder / "e_damaged.png").write_bytes(b"no picture")
    asked = request(folder, out=tmp_path / "out")
    images = find_images([str(folder)], asked)
    assert [image.name for image in images] == ["a_grey", "b_deep"]
    assert [image.eight_bit for image in images] == [True, False]
    assert "left out: expected an image without gaps" in caplog.text
    assert "d_small.png has 64 x 20; leave it out" in caplog.text
    assert "e_damaged.png" in caplog.text
    grey, deep = (image.read() for image in images[:2])
    np.testing.assert_allclose(grey, values[..., :1].repeat(3, axis=2) / 255, atol=1e-6)
    np.testing.assert_allclose(deep, values[..., 2::-1] / 255, atol=1e-6)
    with pytest.raises(NoValidPixelsError, match="without gaps"):
        find_images([str(folder / "c_clear.png")], asked)
    with pytest.raises(RequestError, match="at least 64"):
        find_images([str(folder / "d_small.png")], asked)
    for name in ("a_grey", "b_deep"):
        (folder / f"{name}.png").unlink()
    with pytest.raises(RequestError, match="none fits"):
        find_images([str(folder)], asked)
