"""`landcast hindcast`: what is told of a place's past, and that no forecast sees what came."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from html_reader import Page
from pictures import UTM
from region_cases import small_lift
from series_cases import made_series

import app.forecasts.members
from app.cli.entry import run
from app.forecasts.hindcasting import HindcastRequest, hindcast_place, outcomes_from
from benchmarks.skill.told import Row, late_starts, table
from forecast.hindcast.by_horizon import longest_better, skill_by_horizon
from forecast.hindcast.outcome import Outcome
from forecast.hindcast.plan import PlannedStart, plan_starts
from forecast.hindcast.text import hindcast_table, reach
from forecast.hindcast.truth import read_truth
from forecast.region.ground import Ground
from forecast.region.images import image_paths, open_images
from forecast.region.member import MemberPaths
from forecast.summary import between_cells, expected_state
from preprocessing.errors import DateError, OutputExistsError, RequestError
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog
from preprocessing.rasters.raster import Encoding
from preprocessing.tiles.cells import cell_means

_FIRST, _DATES = 2010, 12
_GRID = Grid(96, 96, Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM)


@pytest.fixture(autouse=True)
def _small_lift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.forecasts.members, "load_guided", small_lift)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder of a town that grows, a date a year."""
    years = tuple(float(_FIRST + number) for number in range(_DATES))
    return _write(tmp_path / "place", made_series(years=years).images)


def _write(folder: Path, images: np.ndarray) -> Path:
    folder.mkdir()
    for number, image in enumerate(images):
        windows = [(Window(0, 0, 96, 96), image, None)]
        write_cog(folder / f"town_{_FIRST + number}.tif", _GRID, windows, count=3, dtype="uint8")
    return folder


def _request(place: Path, model: Path, **options: object) -> HindcastRequest:
    given: dict[str, object] = {"years": 3, "starts": 1, "members": 2, "model": str(model)}
    return HindcastRequest((place,), place.parent / "out", **{**given, **options})  # type: ignore[arg-type]


def test_later_images_change_nothing_but_the_scores(
    place: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    start, ends = 8, {1: 9}
    rng = np.random.default_rng(3)
    images = made_series(years=tuple(float(_FIRST + n) for n in range(_DATES))).images
    # Coarse noise over half of the picture, which later images are registered by.
    noise = rng.integers(0, 128, (_DATES - start - 1, 3, 8, 8)).repeat(12, -1).repeat(12, -2)
    images[start + 1 :] = images[start + 1 :] // 2 + noise
    spoilt = _write(tmp_path / "spoilt", images)
    made: list[dict[str, np.ndarray]] = []
    told = []
    for folder in (place, spoilt):
        scratch = tmp_path / f"scratch_{folder.name}"
        scratch.mkdir()
        dated = open_images(image_paths([folder]))
        found, left_out = outcomes_from(
            dated, PlannedStart(start, ends), _request(folder, tiny_model_folder), scratch
        )
        assert not left_out
        told += found
        patterns = ("member_*/**/*", "seen_*", "taught.npy", "hindcast.json", "conditions.npy")
        files = [path for pattern in patterns for path in scratch.glob(pattern) if path.is_file()]
        made.append({str(path.relative_to(scratch)): path.read_bytes() for path in files})
    assert len({Path(name).parts[0] for name in made[0]}) == 11
    assert made[0] == made[1]
    assert (told[0].expected, told[0].weight) == (told[1].expected, told[1].weight)
    assert told[0].weight > 0
    assert told[0].auc_before is not None
    assert told[0].auc is not None
    assert told[0].auc > told[0].auc_before > 0.6
    assert told[1].mse_still > 2 * told[0].mse_still
    assert told[1].changed > 2 * told[0].changed


def test_the_error_of_the_mean_is_that_of_the_picture_a_forecast_would_write(
    place: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    dated, scratch = open_images(image_paths([place])), tmp_path / "scratch"
    scratch.mkdir()
    request = _request(place, tiny_model_folder)
    found, _ = outcomes_from(dated, PlannedStart(8, {1: 9}), request, scratch)
    ground, members = Ground.open(scratch, Encoding()), [MemberPaths(scratch, m) for m in (0, 1)]
    states = np.stack([member.open_state(ground, 2019)[:] for member in members]) / 255
    changes = [member.open_changes(ground, 2019).probability() for member in members]
    chance = between_cells(np.mean(changes, axis=0), Window(0, 0, 96, 96))
    mean = cell_means(expected_state(ground.stored[:] / 255, states, chance))
    past, start, _ = read_truth(ground, dated.until(8).start, dated.after(8), tmp_path)
    assert (states != states[0]).any()
    assert found[0].mse == pytest.approx(
        float(((mean - past.cells[start + 1]) ** 2).mean()), rel=1e-3
    )


def test_five_dates_teach_where_no_hindcast_can_tell(
    place: Path, tiny_model_folder: Path, tmp_path: Path
) -> None:
    dated = open_images(image_paths([place]))
    aucs = []
    for calibrate in (True, False):
        request = _request(place, tiny_model_folder, calibrate=calibrate)
        scratch = tmp_path / str(calibrate)
        scratch.mkdir()
        found, _ = outcomes_from(dated, PlannedStart(4, {1: 5}), request, scratch)
        assert not calibrate or json.loads((scratch / "hindcast.json").read_text()) is None
        assert (found[0].weight > 0.4) == calibrate
        aucs.append(found[0].auc)
    assert aucs[0] > aucs[1] + 0.05


def test_the_command_writes_a_record_and_a_page(
    place: Path, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["hindcast", str(place), "--out", str(out), "--model", str(tiny_model_folder)]
    arguments += ["--years", "3", "--starts", "2", "--members", "2", "--workers", "1"]
    arguments += ["--no-calibrate"]
    assert run(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["hindcast.html", "hindcast.json"]
    record = json.loads((out / "hindcast.json").read_text())
    assert [found["start"] for found in record["hindcasts"]] == [
        "2016-01-01",
        "2016-01-01",
        "2019-01-01",
    ]
    assert [found["dates"] for found in record["hindcasts"]] == [7, 7, 10]
    assert [(h["horizon"], h["starts"]) for h in record["horizons"]] == [(1, 2), (3, 1)]
    told = capsys.readouterr().out
    sentence = told.splitlines()[-3]
    assert sentence.startswith("On this place's past")
    assert told.splitlines()[-1] == str(out / "hindcast.html")
    text = (out / "hindcast.html").read_text()
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe"}
        source = attributes.get("src")
        assert source is None or source.startswith("data:image/")
    assert sentence in page.text
    assert run(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_dates_are_refused_and_leave_nothing(
    place: Path, tiny_model_folder: Path, count: int
) -> None:
    for path in sorted(place.iterdir())[count:]:
        path.unlink()
    request = _request(place, tiny_model_folder)
    with pytest.raises(DateError, match=f"4 dated images or more of one place, got {count}"):
        hindcast_place(request)
    assert not request.out.exists()


def test_wrong_requests(place: Path, tiny_model_folder: Path) -> None:
    with pytest.raises(RequestError, match="--members"):
        _request(place, tiny_model_folder, members=1)
    onto_a_file = replace(_request(place, tiny_model_folder), out=next(place.iterdir()))
    with pytest.raises(OutputExistsError, match="is a file"):
        hindcast_place(onto_a_file)


def test_images_as_they_were_at_a_date(place: Path) -> None:
    dated = open_images(image_paths([place]))
    np.testing.assert_allclose(dated.years, np.arange(1 - _DATES, 1))
    known = dated.until(2)
    assert known.start.date is not None
    assert known.start.date.year == known.start_year == 2012
    assert [image.years for image in known.earlier] == [2, 1]
    assert dated.until(_DATES - 1) is dated
    later = dated.after(2)
    assert [image.years for image in later] == [-year for year in range(1, 10)]
    assert later[-1].source is dated.start


@pytest.mark.parametrize(
    "years",
    [
        np.arange(1984.0, 2020),
        np.arange(8.0),
        np.arange(0.0, 40, 5),
        np.array([2000.0, 2000.4, 2003, 2010, 2011, 2013, 2013.5]),
        np.array([2000.0, 2001, 2003, 2013.1, 2013.2, 2013.3, 2013.5, 2013.6]),
    ],
)
def test_every_end_is_near_its_horizon_and_has_a_date_after_it(years: np.ndarray) -> None:
    plan = plan_starts(years, starts=3)
    assert 1 <= len(plan) <= 3
    for planned in plan:
        assert planned.date >= 1
        assert planned.ends
        assert len(set(planned.ends.values())) == len(planned.ends)
        for horizon, end in planned.ends.items():
            assert planned.date < end <= len(years) - 2
            assert planned.date >= len(years) // 2 or years[-2] - years[len(years) // 2] < 0.65
            assert (years[end] - years[planned.date]) / horizon == pytest.approx(1, abs=0.351)


def test_plans_of_few_dates() -> None:
    assert plan_starts(np.arange(3.0)) == []
    assert plan_starts(np.arange(4.0)) == [PlannedStart(1, {1: 2})]
    assert plan_starts(np.arange(8) / 12) == []
    assert all(h <= 3 for planned in plan_starts(np.arange(20.0), longest=4) for h in planned.ends)


def _outcome(**given: object) -> Outcome:
    values: dict[str, object] = {
        "start": "2000-01-01",
        "horizon": 3,
        "years": 3.0,
        "dates": 7,
        "weight": 1.0,
        "auc": 0.8,
        "auc_before": 0.7,
        "auc_texture": 0.6,
        "expected": 0.1,
        "changed": 0.2,
        "brier": 0.1,
        "mse": 0.01,
        "mse_still": 0.04,
        "crps": 0.02,
        "crps_still": 0.04,
    }
    return Outcome(**{**values, **given})  # type: ignore[arg-type]


def test_skill_by_horizon_is_what_its_words_say() -> None:
    two = [_outcome(), _outcome(auc=None, expected=0.3, changed=0.0, brier=0.02, mse=0.04)]
    (skill,) = skill_by_horizon(two)
    assert (skill.starts, skill.auc_starts, skill.auc) == (2, 1, 0.8)
    assert skill.area_ratio == pytest.approx(2)
    assert skill.brier_skill == pytest.approx(1 - 0.12 / 0.2)
    assert skill.harm == pytest.approx(0.5**0.5)  # Ratios of RMSE 0.5 and 1.
    assert skill.crps_skill == pytest.approx(0.5)
    # Map and picture were better from one start of two only.
    assert skill.better == ("observations",)
    assert skill.rounded()["area_ratio"] == 2
    # Where every image is as the start nothing is better than it, whatever its noise would be.
    (still,) = skill_by_horizon([_outcome(mse=0.0, mse_still=0.0, crps=1e-6)])
    assert "observations" not in still.better
    # What two digits do not show is no gain.
    (hardly,) = skill_by_horizon([_outcome(brier=0.1998, changed=0.2, mse=0.0398, crps=0.03999)])
    assert hardly.better == ()


def test_how_far_ahead_something_was_better() -> None:
    worse = {"brier": 0.3, "mse": 0.05, "crps": 0.05}
    near, far = _outcome(horizon=3), _outcome(horizon=7, **worse)
    skills = skill_by_horizon([far, near])
    assert [skill.horizon for skill in skills] == [3, 7]
    assert longest_better(skills) == 3
    assert "shown up to 3 years ahead; beyond, up to 7 years, nothing was" in reach(skills)
    assert "nothing better" in reach(skill_by_horizon([far]))
    assert longest_better(skill_by_horizon([far])) is None
    still = skill_by_horizon([_outcome(horizon=1, changed=0.0, brier=0.0, auc=None)])
    assert hindcast_table(still).splitlines()[2].startswith("| 1 | 1 | - | - | - | 10.0% | 0.0% |")


def test_what_was_told_is_compared_with_what_came() -> None:
    years = np.arange(1990.0, 2010)
    for planned in late_starts(years, starts=2, longest=5):
        assert planned.date >= 10
        assert max(planned.ends) >= 3
    (told,) = skill_by_horizon([_outcome()])
    near = _outcome(auc=0.84, expected=0.1, changed=0.1)
    far = _outcome(auc=0.7, expected=0.3, changed=0.1)
    text = table([Row("a", told, near, {}), Row("b", told, far, {"auc": 0.75})])
    assert "| a | 2000 +3 | 1 | 0.80 | - | 0.84 | 0.70 | 0.50 | - | 1.00 | 10.0% |" in text
    assert "within 0.05 of what was told in 1 of 2" in text
    assert "of what was told in 1 of 2." in text
    assert "-0.030" in text


def test_a_sensor_is_known_or_refused(
    place: Path, tiny_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["hindcast", str(place), "--out", str(out), "--model", str(tiny_model_folder)]
    assert run([*arguments, "--sensor", "sputnik"]) == 2
    assert "sputnik" in capsys.readouterr().err
    assert not out.exists()
