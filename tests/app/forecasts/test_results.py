"""Result folders: what opens, what is refused, and what the screen gets to see."""

import json

import numpy as np
import pytest
from fake_results import make_result, scene, write

from app.forecasts.results import (
    ForecastFolder,
    ResultFolderError,
    display_image,
    display_layer,
    display_valid,
)
from preprocessing.errors import MissingFileError, RequestError


@pytest.fixture
def folder(tmp_path):
    return make_result(tmp_path / "result", save_members=True)


def test_open_reads_what_run_json_says(folder):
    result = ForecastFolder.open(folder)
    assert (result.start_year, result.years) == (2020, (2021, 2022, 2023))
    assert (result.members, result.seed, result.value_range) == (4, 7, (0.0, 255.0))
    assert (result.region, result.model) == ("town_2020.tif", "tiny")


def test_what_is_known_of_the_skill_is_told(folder):
    run = json.loads((folder / "run.json").read_text())

    def told(**more):
        (folder / "run.json").write_text(json.dumps({**run, **more}))
        return ForecastFolder.open(folder).hindcast_text

    assert told() == ""
    few = told(hindcast=None, calibrate=True)
    assert few.startswith("nothing is known of the skill on this very place but what the model")
    assert few.endswith("a forecast looks back from six dates on")
    four = told(hindcast=None, calibrate=True, history=[[], [], []])
    assert four == few + ", 'landcast hindcast' tells it"
    assert told(hindcast=None, calibrate=False).endswith("did not learn from its past")
    skill = {"years_ago": 4.0, "years": 3.0, "expected": 0.071, "changed": 0.02}
    ranked = {"auc": 0.87, "auc_before": 0.74, "auc_texture": 0.56}
    line = told(hindcast={**skill, **ranked})
    assert line.startswith("on this place's past, from 2016 to 2019: AUC 0.87 (where it changed")
    assert "7.1% of the ground expected to change, 2.0% did" in line
    assert "too little changed" in told(hindcast={**skill, **dict.fromkeys(ranked)})


def test_paths_exist_for_every_kind_year_and_member(folder):
    result = ForecastFolder.open(folder)
    assert result.saved_members == (0, 1, 2, 3)
    for year in result.years:
        for kind in ("forecast", "mean", "spread", "change_probability"):
            assert result.path(kind, year).is_file()
        assert result.path("forecast", year, member=3).name == f"03_{year}.tif"
    assert result.path("forecast", 2020) == result.present


def test_members_are_offered_only_if_complete(folder):
    (folder / "members" / "02_2022.tif").unlink()
    result = ForecastFolder.open(folder)
    assert result.saved_members == (0, 1, 3)
    with pytest.raises(ResultFolderError, match="save-members"):
        result.path("forecast", 2021, member=2)


@pytest.mark.parametrize(("kind", "year"), [("spread", 2020), ("forecast", 2030)])
def test_a_year_that_is_not_there_is_refused(folder, kind, year):
    with pytest.raises(ResultFolderError, match=f"2021 to 2023, got {year}"):
        ForecastFolder.open(folder).path(kind, year)


def test_no_folder_and_no_run_json(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        ForecastFolder.open(tmp_path / "nowhere")
    with pytest.raises(ResultFolderError, match=r"run\.json"):
        ForecastFolder.open(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"region": "x"}'])
def test_a_damaged_run_json_is_a_wrong_request(folder, text):
    (folder / "run.json").write_text(text)
    with pytest.raises(RequestError, match="damaged"):
        ForecastFolder.open(folder)


def test_a_missing_raster_is_named(folder):
    (folder / "spread_2022.tif").unlink()
    with pytest.raises(ResultFolderError, match=r"spread_2022\.tif.*same forecast again"):
        ForecastFolder.open(folder)


def test_years_not_after_the_start_are_refused(folder):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "years": []}))
    with pytest.raises(ResultFolderError, match="after 2020"):
        ForecastFolder.open(folder)


def test_display_shows_bytes_as_they_are(folder):
    shown = display_image(folder / "present_2020.tif")
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, scene(2020).transpose(1, 2, 0))


def test_display_averages_down_to_the_size_asked_for(tmp_path):
    rng = np.random.default_rng(3)
    data = rng.integers(0, 256, (3, 96, 130), dtype=np.uint8)
    path = write(tmp_path / "noise_2020.tif", data)
    shown = display_image(path, max_size=65)
    assert shown.shape == (48, 65, 3)
    blocks = data.reshape(3, 48, 2, 65, 2).mean(axis=(2, 4)).transpose(1, 2, 0)
    assert np.abs(shown.astype(float) - blocks).max() <= 0.51  # rounding
    assert display_image(path, max_size=100).shape == (74, 100, 3)


def test_display_in_strips_equals_display_at_once(tmp_path, monkeypatch):
    data = np.random.default_rng(4).integers(0, 256, (3, 150, 70), dtype=np.uint8)
    path = write(tmp_path / "noise_2020.tif", data)
    whole = display_image(path, max_size=50)
    monkeypatch.setattr("app.forecasts.results._STRIP_PIXELS", 300)
    np.testing.assert_array_equal(display_image(path, max_size=50), whole)


def test_display_stretches_by_the_value_range(tmp_path):
    data = np.full((3, 16, 16), 1500, dtype=np.uint16)
    path = write(tmp_path / "s2_2020.tif", data)
    assert display_image(path, (0, 3000))[0, 0, 0] == 128
    assert display_image(path, (0, 1000))[0, 0, 0] == 255


def test_pixels_without_observation_are_grey_and_do_not_bleed(tmp_path):
    data = np.full((3, 64, 64), 200, dtype=np.uint8)
    valid = np.ones((64, 64), dtype=bool)
    valid[:33] = False
    data[:, :33] = 0
    path = write(tmp_path / "hole_2020.tif", data, valid=valid)
    shown = display_image(path, max_size=32)
    assert (shown[:16] == 235).all()
    assert (shown[16:] == 200).all()
    assert not display_valid(path, max_size=32)[:16].any()


def test_layers_keep_their_units(folder):
    spread = display_layer(folder / "spread_2022.tif")
    assert {1.0, 10.0} == set(np.unique(spread))
    change = display_layer(folder / "change_probability_2022.tif")
    assert change.shape == (60, 80)
    assert change.max() == np.float32(0.75)
