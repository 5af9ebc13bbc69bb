"""What changed ground becomes is copied from ground that looks so."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from forecast.states.analogues import (
    NO_SOURCE,
    Analogues,
    Events,
    filled_from,
    looks_of,
    widened,
)

_SHAPE = (24, 24)
_DESERT, _TOWN, _WATER = 0.8, 0.4, 0.1


@pytest.fixture
def cells() -> NDArray[np.float32]:
    """Desert on the left, a town on the right, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, (3, *_SHAPE))
    ground = np.where(np.arange(24) < 12, _DESERT, _TOWN)
    return np.asarray(ground + noise, dtype=np.float32)


def _analogues(cells: NDArray[np.float32], events: Events | None = None) -> Analogues:
    objects = np.zeros(_SHAPE, np.int64)
    return Analogues(cells, np.ones(_SHAPE, bool), float(cells.std()), objects, events)


def _none() -> NDArray[np.int32]:
    return np.full((2, *_SHAPE), NO_SOURCE, np.int32)


def _new() -> NDArray[np.bool_]:
    new = np.zeros(_SHAPE, bool)
    new[8:14, 2:8] = True
    return new


def test_desert_that_becomes_town_copies_the_town(cells: NDArray[np.float32]) -> None:
    look = np.full_like(cells, _TOWN)
    found = _analogues(cells).sources(look, _new(), _none(), seed=1, member=0)
    assert (found[0][_new()] >= 0).all()
    assert (found[0][~_new()] == NO_SOURCE).all()
    assert (found[1][_new()] >= 12).all()
    assert np.abs(_analogues(cells).colours(found)[:, _new()] - _TOWN).max() < 0.1


def test_copies_go_on_where_the_neighbour_copies(cells: NDArray[np.float32]) -> None:
    look = np.full_like(cells, _TOWN)
    found = _analogues(cells).sources(look, _new(), _none(), seed=1, member=0)
    steps = np.diff(found[1][8:14, 2:8], axis=1)
    assert (steps == 1).mean() > 0.3


def test_a_look_that_the_region_has_nowhere_is_not_copied(cells: NDArray[np.float32]) -> None:
    look = np.full_like(cells, -_WATER * 30)
    found = _analogues(cells).sources(look, _new(), _none(), seed=1, member=0)
    assert (found == NO_SOURCE).all()


def test_ground_becomes_what_like_ground_became_here(cells: NDArray[np.float32]) -> None:
    before = np.full((40, 6), _DESERT, np.float32)
    after = np.full((40, 3), _WATER, np.float32)
    new = _new()
    new[:, 20] = True  # A town, to which nothing is known to have happened.
    look = _analogues(cells, Events(before, after)).look(
        np.full_like(cells, 0.6), new, seed=0, member=0
    )
    np.testing.assert_allclose(look[:, _new()], _WATER)
    np.testing.assert_allclose(look[:, new & ~_new()], 0.6)


def test_every_outcome_of_like_ground_comes_about_as_often_as_it_did(
    cells: NDArray[np.float32],
) -> None:
    before = np.full((12, 6), _DESERT, np.float32)
    after = np.repeat(np.array([[_WATER], [_TOWN]], np.float32), (3, 9), axis=0).repeat(3, axis=1)
    events = Events(before, after)
    chance = np.linspace(0, 1, 1201, dtype=np.float32)[:-1]
    now = np.full((len(chance), 6), _DESERT, np.float32)
    look, far = events.look(now, chance)
    assert (look[:, 0] == np.float32(_WATER)).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(far, 0, atol=1e-6)


def test_same_seed_and_member_same_sources_another_member_others(
    cells: NDArray[np.float32],
) -> None:
    look = np.full_like(cells, _TOWN)
    first, again, other = (
        _analogues(cells).sources(look, _new(), _none(), seed=1, member=member)
        for member in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_coherent_copy_is_exact_inside_and_leaves_the_rest() -> None:
    image = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    sources = np.full((2, 16, 16), NO_SOURCE, np.int32)
    sources[:, 3:6, 3:6] = np.mgrid[8:11, 9:12]
    filled = filled_from(image, image, sources)
    np.testing.assert_allclose(filled[:, 12:24, 12:24], image[:, 32:44, 36:48], atol=1e-6)
    filled[:, 12:24, 12:24] = image[:, 12:24, 12:24]
    np.testing.assert_array_equal(filled, image)


def test_widened_sources_go_on_and_stay_within_the_region() -> None:
    sources = np.full((2, 5, 5), NO_SOURCE, np.int32)
    sources[:, 2, 2] = 0, 7
    wide = widened(sources, (10, 10))
    assert tuple(wide[:, 3, 3]) == (1, 8)
    assert tuple(wide[:, 2, 1]) == (0, 6)
    assert (wide[:, 1] == NO_SOURCE).all()  # Above the region there is nothing.


def test_looks_among_some_cells_leave_out_the_others() -> None:
    cells = np.zeros((3, 9, 9), np.float32)
    cells[:, :, 4:] = 1
    among = np.zeros((9, 9), bool)
    among[:, 4:] = True
    looks = looks_of(cells, among).reshape(9, 9, 6)
    np.testing.assert_allclose(looks[:, 4:, 3:], 1, atol=1e-6)
    assert looks_of(cells).reshape(9, 9, 6)[4, 4, 3] == pytest.approx(0.6)
