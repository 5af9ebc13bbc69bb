"""How ground is seen again: learnt from a place's own past, drawn alike for neighbours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from forecast.hindcast.looks import LOCATIONS, SCALES, EarlierLooks
from forecast.hindcast.observations import (
    ObservationModel,
    ObservationModels,
    laplace_crps,
    outcome,
    regional_sizes,
)
from forecast.hindcast.past import Past
from forecast.pretrained import model_folder
from forecast.region.earlier import EarlierCells
from forecast.region.seen_again import SeenAgain, write_seen_again
from forecast.region.windows import cut
from preprocessing.errors import ModelFolderError
from preprocessing.rasters.window import Window

_SIDE, _DATES = 64, 10
_WHOLE = Window(0, 0, _SIDE, _SIDE)


@pytest.fixture(scope="module")
def general() -> ObservationModel:
    """Of the shipped model."""
    found = ObservationModel.load(model_folder())
    assert found is not None
    return found


def _swinging(*, dates: int = _DATES, seed: int = 0) -> Past:
    """Fields on the left that swing around their mean from year to year; the right is calm."""
    rng = np.random.default_rng(seed)
    fields = rng.normal(0, 0.06, (dates, 1, 16, 16)).repeat(4, axis=2).repeat(4, axis=3)
    fields[..., _SIDE // 2 :] *= 0.1
    base = 0.5 + 0.1 * rng.normal(size=(1, 3, 16, 16)).repeat(4, axis=2).repeat(4, axis=3)
    cells = (base + fields).astype(np.float32)
    return Past(cells, np.ones((dates, _SIDE, _SIDE), bool), 2000.0 + np.arange(dates))


def _told(model: ObservationModel, past: Past) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean, scale = model.of_block(past, _WHOLE, [1.0], regional_sizes(past, [1.0]))
    return mean[0], scale[0]


def _crps(model: ObservationModel, past: Past, later: NDArray[np.float32]) -> float:
    mean, scale = _told(model, past)
    error = torch.from_numpy(later - past.cells[-1] - mean)
    return float(laplace_crps(error, torch.from_numpy(scale)).mean())


def test_the_past_teaches_where_ground_swings_and_to_what_it_returns(
    general: ObservationModel,
) -> None:
    future = _swinging(dates=_DATES + 1)
    past = future.until(_DATES - 1)
    here = general.taught_by(past)
    mean, scale = _told(here, past)
    assert scale[..., : _SIDE // 2].mean() > 3 * scale[..., _SIDE // 2 :].mean()
    usual = past.cells[:-1].mean(axis=0) - past.cells[-1]
    assert np.corrcoef(mean.ravel(), usual.ravel())[0, 1] > 0.9
    assert _crps(here, past, future.cells[-1]) < _crps(general, past, future.cells[-1])


def test_an_outcome_of_few_dates_knows_no_others() -> None:
    past, (start, end) = _swinging(), (6, 8)
    changed = replace(past, cells=past.cells.copy())
    changed.cells[:4] = 0.9
    found = [
        outcome(dates, start, end, np.random.default_rng(0), first=first)
        for first in (0, 4)
        for dates in (past, changed)
    ]
    every, other, few, alike = (rows for rows in found if rows is not None)
    assert not np.array_equal(every.scale, other.scale)
    np.testing.assert_array_equal(few.scale, alike.scale)
    np.testing.assert_array_equal(few.location, alike.location)
    assert few.scale[:, 2] == pytest.approx(1 / 3)  # Two earlier dates: over 1 and their number.


def test_the_crps_of_a_laplace_distribution_is_that_of_many_draws() -> None:
    rng = np.random.default_rng(0)
    draws = rng.laplace(0, 2.0, 4000)
    for error in (-3.0, 0.5, 7.0):
        expected = np.abs(draws - error).mean() - np.abs(draws[:2000] - draws[2000:]).mean() / 2
        told = laplace_crps(torch.tensor(error), torch.tensor(2.0))
        assert float(told) == pytest.approx(expected, abs=0.05)


def test_nothing_later_is_used(general: ObservationModel) -> None:
    past = _swinging()
    later = past.cells.copy()
    later[7:] = np.random.default_rng(5).random(later[7:].shape)
    told = [
        _told(general.taught_by(cut), cut)
        for cut in (past.until(6), replace(past, cells=later).until(6))
    ]
    np.testing.assert_array_equal(told[0], told[1])


def test_a_block_says_what_the_whole_says(general: ObservationModel) -> None:
    past = _swinging()
    sizes = regional_sizes(past, [3.0])
    whole = general.of_block(past, _WHOLE, [3.0], sizes)
    part = Window(20, 30, 24, 30)
    for values, of_whole in zip(general.of_block(past, part, [3.0], sizes), whole, strict=True):
        np.testing.assert_allclose(values, of_whole[(..., *part.slices)], atol=1e-5)


def test_unknown_cells_do_not_count() -> None:
    past = _swinging()
    known, cells = past.known.copy(), past.cells.copy()
    known[3, 10:20], cells[3, :, 10:20] = False, 9.0
    hidden = Past(cells, known, past.years)
    fewer = Past(
        np.delete(past.cells, 3, axis=0), np.delete(past.known, 3, axis=0), np.delete(past.years, 3)
    )
    looks = [EarlierLooks.of_block(p, _WHOLE, past.tone()) for p in (hidden, fewer)]
    np.testing.assert_allclose(
        looks[0].offsets[2, :, 10:20], looks[1].offsets[2, :, 10:20], atol=1e-5
    )
    location, scale = looks[0].columns(2.0, (0.1, 0.1))
    assert location.shape == (LOCATIONS, 3, _SIDE, _SIDE)
    assert scale.shape == (SCALES, 3, _SIDE, _SIDE)


def test_no_earlier_date_and_no_pair_leave_the_general_model(general: ObservationModel) -> None:
    alone = _swinging(dates=1)
    assert general.taught_by(alone) == general
    mean, scale = _told(general, alone)
    assert np.isfinite(mean).all()
    assert (scale > 0).all()


@pytest.fixture(scope="module")
def drawn(
    general: ObservationModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[SeenAgain, NDArray[np.float32], NDArray[np.float32]]:
    """What was written, and the mean and 40 draws around it."""
    folder, past = tmp_path_factory.mktemp("seen"), _swinging()
    write_seen_again(general.taught_by(past), past, folder, longest=3)
    found = SeenAgain.open(folder)
    assert found is not None
    earlier = EarlierCells(
        past.cells[:-1].astype(np.float16),
        past.known[:-1],
        (past.years[-1] - past.years[:-1]).astype(np.float32),
    )
    objects = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE) // 16
    everywhere = np.ones(past.shape, bool)

    def draw(member: int, changed: NDArray[np.bool_]) -> NDArray[np.float32]:
        whose = {"seed": 1, "member": member, "year": 2010}
        familiar = np.ones(past.shape, np.float32)
        return found.drawn(1, objects, earlier, past.cells[-1], changed, familiar, 0.1, **whose)

    noise = np.stack([draw(member, everywhere) for member in range(40)])
    return found, draw(0, ~everywhere) - noise[0], noise


def test_draws_have_the_scale_that_was_told(
    drawn: tuple[SeenAgain, NDArray[np.float32], NDArray[np.float32]],
) -> None:
    found, mean, noise = drawn
    np.testing.assert_allclose(mean, found.mean[0].astype(np.float32), atol=1e-6)
    told = found.scale[0].astype(np.float32)
    size = np.abs(noise).mean(axis=0)
    for half in (slice(0, _SIDE // 2), slice(_SIDE // 2, None)):
        assert size[..., half].mean() == pytest.approx(told[..., half].mean(), rel=0.2)
    assert np.abs(noise.mean()) < 0.2 * told.mean()


def test_draws_have_the_patterns_that_were_seen(
    drawn: tuple[SeenAgain, NDArray[np.float32], NDArray[np.float32]],
) -> None:
    _, _, noise = drawn
    left = noise[..., : _SIDE // 2]
    within = np.corrcoef(left[..., 0::4].ravel(), left[..., 1::4].ravel())[0, 1]
    across = np.corrcoef(left[..., 3:-1:4].ravel(), left[..., 4::4].ravel())[0, 1]
    assert within > 0.6
    assert within > across + 0.3


@pytest.mark.parametrize("dates", [1, 2])
def test_noise_is_that_of_objects_and_bands_share_it(dates: int, tmp_path: Path) -> None:
    models, past = ObservationModels.load(model_folder()), _swinging(dates=dates)
    write_seen_again(models.of_past(past, seed=1, taught=False), past, tmp_path, longest=1)
    found = SeenAgain.open(tmp_path)
    assert found is not None
    earlier = EarlierCells(
        past.cells[:-1].astype(np.float16),
        past.known[:-1],
        (past.years[-1] - past.years[:-1]).astype(np.float32),
    )
    objects = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    objects = objects[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)
    nowhere = np.zeros(past.shape, bool)
    plain = np.full_like(past.cells[-1], 0.5)

    def draw(member: int, familiar: float = 1.0) -> NDArray[np.float32]:
        known = np.full(past.shape, familiar, np.float32)
        whose = {"seed": 1, "member": member, "year": 2010}
        return found.drawn(1, objects, earlier, plain, nowhere, known, 0.1, **whose)

    noise = np.stack([draw(member) for member in range(0, 60, 2)]) - found.mean[0]
    told = float(found.scale[0].mean())
    assert 0.6 * told < float(np.abs(noise).mean()) < 2 * told
    within = np.corrcoef(noise[..., 1::4].ravel(), noise[..., 2::4].ravel())[0, 1]
    bands = np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]
    assert within > 0.8
    assert bands > 0.7
    # Ground that the model has not seen the like of is less sure, unless the place itself tells.
    unsure = draw(0, familiar=0.5) - found.mean[0]
    np.testing.assert_allclose(unsure, (1.5 if dates == 1 else 1.0) * noise[0], atol=1e-6)


def test_a_model_without_places_of_three_dates_tells_what_one_image_tells() -> None:
    models = replace(ObservationModels.load(model_folder()), again=None)
    assert models.of_past(_swinging(), seed=1) == models.alone


def test_a_model_that_tells_nothing_of_observations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"observations_alone\.json, there is no such file"):
        ObservationModels.load(tmp_path)


def test_blocks_of_any_size_are_written_alike(
    general: ObservationModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = _swinging()
    found = []
    for size in (64, 24):
        monkeypatch.setattr("forecast.region.seen_again.cut", lambda h, w, _, s=size: cut(h, w, s))
        folder = tmp_path / str(size)
        folder.mkdir()
        write_seen_again(general, past, folder, longest=2)
        found.append(SeenAgain.open(folder))
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_allclose(found[0].scale, found[1].scale, rtol=2e-3)
    assert SeenAgain.open(tmp_path) is None


def test_a_damaged_file_is_named(general: ObservationModel, tmp_path: Path) -> None:
    assert ObservationModel.load(tmp_path) is None
    general.save(tmp_path)
    assert ObservationModel.load(tmp_path) == general
    (tmp_path / "observations.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ModelFolderError, match=r"observations\.json.*damaged"):
        ObservationModel.load(tmp_path)
