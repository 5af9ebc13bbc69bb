"""Films: every year is shown, marked, in its own colours, and the ground stays still."""

import json
import shutil
from itertools import pairwise

import av
import numpy as np
import pytest
from affine import Affine
from fake_results import GRID, PLAIN_GRID, make_result, scene, write
from PIL import Image, ImageSequence

from app.films.animation import (
    _WRITERS,
    AnimationFormatError,
    Frame,
    animate,
    animate_folder,
)
from preprocessing.errors import (
    DateError,
    GridMismatchError,
    NoOverlapError,
    RequestError,
    UnknownRangeError,
)
from preprocessing.rasters.grid import Grid

AMBER = np.array([255, 176, 46])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_result(tmp_path_factory.mktemp("animation") / "result")


def frames(path):
    """Decode to RGB, one picture a year: repeated video frames are dropped by time."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        return decoded[::10]
    with Image.open(path) as image:
        return [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(image)]


def amber_share(picture):
    """Share of caption pixels in the colour of forecasts."""
    bar = picture[-40:].astype(int)
    return (np.abs(bar - AMBER).max(axis=2) < 40).mean()


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_every_year_is_shown_in_its_colours(folder, tmp_path, ending):
    out = animate_folder(folder, tmp_path / f"film.{ending}")
    shown = frames(out)
    if ending == "mp4":
        assert len(shown) == 5  # the last year is held twice as long
        assert all(side % 2 == 0 for side in shown[0].shape[:2])
    else:
        assert len(shown) == 4
    for year, picture in zip(range(2020, 2024), shown, strict=False):
        scale = picture.shape[1] / 80
        row, end = int(30 * scale), (10 + 2 * (year - 2018)) * scale
        town, land = picture[row, int(end - 4)], picture[row, int(end + 5)]
        assert np.abs(town.astype(int) - 170).max() <= 20, (year, town)
        assert np.abs(land.astype(int) - [70, 120, 60]).max() <= 20, (year, land)


@pytest.mark.parametrize("ending", ["mp4", "gif", "webp"])
def test_forecasts_are_marked_and_observations_are_not(folder, tmp_path, ending):
    shown = frames(animate_folder(folder, tmp_path / f"film.{ending}"))
    observed, forecasts = amber_share(shown[0]), [amber_share(p) for p in shown[1:4]]
    assert min(forecasts) > observed + 0.03
    edge = shown[1][0, 20:-20].astype(int)
    assert np.abs(edge - AMBER).max() < 60
    assert np.abs(shown[0][0, 20:-20].astype(int) - AMBER).min(axis=0).max() > 60


def test_the_year_is_burnt_in(folder, tmp_path):
    still = scene(2020).transpose(1, 2, 0)
    out = animate([Frame(still, 2020, True), Frame(still, 2021, True)], tmp_path / "film.webp")
    first, second = frames(out)
    label = np.abs(first[-50:, :120].astype(int) - second[-50:, :120]).max(axis=2) > 60
    assert label.sum() > 20
    assert np.abs(first[:300].astype(int) - second[:300]).max() < 16


def test_gif_does_not_flicker_where_nothing_changes(tmp_path):
    rng = np.random.default_rng(1)
    ground = rng.integers(40, 200, (30, 40, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    changed = ground.copy()
    changed[:100, :100] = [250, 10, 10]
    shown = frames(
        animate([Frame(ground, 2020, False), Frame(changed, 2021, False)], tmp_path / "f.gif")
    )
    scale = shown[0].shape[1] / 400
    below = slice(int(110 * scale), int(300 * scale))
    np.testing.assert_array_equal(shown[0][below], shown[1][below])
    assert np.abs(shown[1][40, 40].astype(int) - [250, 10, 10]).max() < 20


def test_gif_palette_serves_smooth_colours(tmp_path):
    ramp = np.linspace(0, 255, 500).astype(np.uint8)
    picture = np.stack(np.broadcast_arrays(ramp[None], ramp[:400, None], np.uint8(80)), axis=2)
    shown = frames(animate([Frame(np.ascontiguousarray(picture), 2020, False)], tmp_path / "g.gif"))
    error = np.abs(shown[0][:400].astype(float) - picture)
    assert error.mean() < 9  # 256 colours over a plane of 500 x 400


def test_past_images_come_first_and_in_order(folder, tmp_path):
    past = [write(tmp_path / f"town_{year}.tif", scene(year), GRID) for year in (2019, 2018)]
    shown = frames(animate_folder(folder, tmp_path / "film.gif", past=past))
    assert len(shown) == 6
    towns = [(np.abs(p[180, :].astype(int) - 170).max(axis=1) < 25).sum() for p in shown]
    assert all(later > earlier for earlier, later in pairwise(towns))


def test_past_images_have_the_bands_of_the_forecast(folder, tmp_path):
    asked = shutil.copytree(folder, tmp_path / "asked")
    run = json.loads((asked / "run.json").read_text())
    run["arguments"] = {"bands": [3, 2, 1], "value_range": None, "sensor": None}
    (asked / "run.json").write_text(json.dumps(run))
    past = write(tmp_path / "town_2019.tif", scene(2019)[::-1].copy(), GRID)
    film = [
        frames(animate_folder(f, tmp_path / "film.mp4", past=[past]))[0] for f in (asked, folder)
    ]
    land = [picture[150, -30].astype(int) for picture in film]  # Blue in what is green and red.
    np.testing.assert_allclose(land[0], (70, 120, 60), atol=6)
    np.testing.assert_allclose(land[1], (60, 120, 70), atol=6)
    deep = write(
        tmp_path / "town_2018.tif",
        257 * scene(2018).astype(np.uint16),
        GRID,
        tags={"VALUE_RANGE": "0,65535"},
    )
    first = frames(animate_folder(folder, tmp_path / "film.mp4", past=[deep]))[0]
    np.testing.assert_allclose(first[150, -30], (70, 120, 60), atol=6)
    untold = write(tmp_path / "town_2018.tif", scene(2018).astype(np.float32), GRID)
    with pytest.raises(UnknownRangeError, match=r"past image of uint8 .*VALUE_RANGE.* float32"):
        animate_folder(folder, tmp_path / "film.mp4", past=[untold])


def test_past_image_of_the_future_or_of_other_ground_is_refused(folder, tmp_path):
    late = write(tmp_path / "town_2021.tif", scene(2021), GRID)
    with pytest.raises(DateError, match="before 2020, got 2021"):
        animate_folder(folder, tmp_path / "film.gif", past=[late])
    moved = Grid(60, 80, GRID.transform @ Affine.translation(80, 0), GRID.crs)
    aside = write(tmp_path / "town_2019.tif", scene(2019), moved)
    with pytest.raises(NoOverlapError, match="share"):
        animate_folder(folder, tmp_path / "film.gif", past=[aside])
    plain = write(tmp_path / "town_2018.tif", scene(2018), PLAIN_GRID)
    with pytest.raises(GridMismatchError, match=r"town_2018\.tif has none"):
        animate_folder(folder, tmp_path / "film.gif", past=[plain])


def test_past_images_lie_where_they_belong(folder, tmp_path):
    """Whatever their grid: larger and beside that of the start, of half the size, south up."""
    same = write(tmp_path / "town_2019.tif", scene(2019), GRID)
    wanted = frames(animate_folder(folder, tmp_path / "film.mp4", past=[same]))[0].astype(int)
    wide = np.pad(scene(2019), [(0, 0), (12, 5), (7, 16)], mode="edge")
    around = Grid(77, 103, GRID.transform @ Affine.translation(-7, -12), GRID.crs)
    coarse = scene(2019)[:, 1::2, 1::2].copy()
    half = Grid(30, 40, GRID.transform @ Affine.scale(2), GRID.crs)
    turned = Grid(
        60, 80, GRID.transform @ Affine.translation(0, 60) @ Affine.scale(1, -1), GRID.crs
    )
    for name, data, grid in [
        ("wide", wide, around),
        ("coarse", coarse, half),
        ("turned", scene(2019)[:, ::-1].copy(), turned),
    ]:
        other = write(tmp_path / f"{name}_2019.tif", data, grid)
        shown = frames(animate_folder(folder, tmp_path / "film.mp4", past=[other]))[0]
        assert np.abs(shown - wanted).mean() < 3, name


def test_sizes_follow_max_size(tmp_path):
    big = np.zeros((401, 1203, 3), dtype=np.uint8)
    out = animate([Frame(big, 2020, False)], tmp_path / "film.mp4", max_size=601)
    height, width = frames(out)[0].shape[:2]
    assert width == 602
    assert 200 < height < 300


def test_unknown_endings_are_refused_before_work(folder, tmp_path):
    with pytest.raises(AnimationFormatError, match=r"\.mp4, \.gif or \.webp, got film\.avi"):
        animate_folder(folder, tmp_path / "film.avi")
    with pytest.raises(RequestError, match="nowhere"):
        animate_folder(folder, tmp_path / "nowhere" / "film.gif")


def test_frames_of_different_sizes_leave_nothing_behind(tmp_path):
    small, large = (np.zeros((n, n, 3), dtype=np.uint8) for n in (32, 64))
    with pytest.raises(ValueError, match="2021"):
        animate([Frame(small, 2020, False), Frame(large, 2021, True)], tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_encoder_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("av.video.stream.VideoStream.encode", fail, raising=False)
    monkeypatch.setitem(_WRITERS, ".gif", fail)
    with pytest.raises(OSError, match="disk full"):
        animate_folder(folder, tmp_path / "film.gif")
    assert list(tmp_path.iterdir()) == []
