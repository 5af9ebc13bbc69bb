"""What changed ground becomes is copied from ground that looks so."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from forecast.hindcast.past_events import Events, kinds_of, surroundings_of
from forecast.region.analogues import Analogues
from forecast.region.copies import NO_SOURCE, filled_from, widened

_SHAPE = (40, 40)
_EDGE = 20
_DESERT, _TOWN, _WATER = 0.8, 0.4, 0.1


@pytest.fixture
def cells() -> NDArray[np.float32]:
    """Desert on the left, a town on the right, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, (3, *_SHAPE))
    ground = np.where(np.arange(40) < _EDGE, _DESERT, _TOWN)
    return np.asarray(ground + noise, dtype=np.float32)


def _analogues(cells: NDArray[np.float32]) -> Analogues:
    """Of a place where desert became town."""
    before = surroundings_of(np.full_like(cells, _DESERT), float(cells.std()))[:40]
    return _of_one_object(
        cells, events=Events(before, np.flatnonzero(np.indices(_SHAPE)[1] > 25)[:40])
    )


def _of_one_object(
    cells: NDArray[np.float32],
    *,
    seen: NDArray[np.bool_] | None = None,
    corridors: NDArray[np.bool_] | None = None,
    events: Events | None = None,
    detailed: NDArray[np.bool_] | bool = False,
) -> Analogues:
    """Ground with detail in some of its cells."""
    shape, contrast = cells.shape[1:], float(cells.std())
    image = cells.repeat(4, axis=1).repeat(4, axis=2)
    light = np.where(np.indices(image.shape[1:]).sum(axis=0) % 2, 0.2, -0.2)
    image += light * np.broadcast_to(detailed, shape).repeat(4, axis=0).repeat(4, axis=1)
    return Analogues(
        cells,
        np.ones(shape, bool) if seen is None else seen,
        contrast,
        np.zeros(shape, np.int64),
        np.zeros(shape, bool) if corridors is None else corridors,
        kinds_of(image, cells, contrast),
        events,
    )


def _none() -> NDArray[np.int32]:
    return np.full((2, *_SHAPE), NO_SOURCE, np.int32)


def _new() -> NDArray[np.bool_]:
    """A patch of desert beside the town."""
    new = np.zeros(_SHAPE, bool)
    new[16:22, 14:20] = True
    return new


def _became(analogues: Analogues, new: NDArray[np.bool_], members: int) -> list[float]:
    """Mean of the colours of a patch in each member."""
    none = np.full((2, *new.shape), NO_SOURCE, np.int32)
    every = [analogues.sources(new, none, seed=1, member=member) for member in range(members)]
    for found in every:
        assert (found[0][new] >= 0).all()
        assert (found[0][~new] == NO_SOURCE).all()
    return [float(analogues.colours(found)[0][new].mean()) for found in every]


def test_a_patch_becomes_ground_beside_it_that_has_detail() -> None:
    """Where nothing tells what happened here. Towns have detail, so they grow."""
    shape = (40, 40)
    ground = np.broadcast_to(np.where(np.arange(40) < 30, _DESERT, _TOWN), shape)
    cells = np.repeat(ground[None], 3, axis=0).astype(np.float32)
    plain, town = (_of_one_object(cells, detailed=where) for where in (False, ground == _TOWN))
    for left in (4, 18):
        new = np.zeros(shape, bool)
        new[17:23, left : left + 6] = True
        assert _became(town, new, 4) == pytest.approx([_DESERT] * 4, abs=0.02)
    new = np.zeros(shape, bool)
    new[17:23, 24:30] = True
    assert np.mean(_became(plain, new, 20)) > 0.7
    assert np.mean(_became(town, new, 20)) < 0.6


def test_a_patch_is_copied_as_a_whole(cells: NDArray[np.float32]) -> None:
    found = _analogues(cells).sources(_new(), _none(), seed=1, member=0)
    assert (np.diff(found[1][16:22, 14:20], axis=1) == 1).all()
    assert (np.diff(found[0][16:22, 14:20], axis=0) == 1).all()


def test_a_patch_that_grows_goes_on_with_its_copy(cells: NDArray[np.float32]) -> None:
    analogues = _analogues(cells)
    first = analogues.sources(_new(), _none(), seed=1, member=0)
    beside = np.zeros(_SHAPE, bool)
    beside[22:24, 14:20] = True
    later = analogues.sources(beside, first, seed=1, member=0)
    np.testing.assert_array_equal(later[:, ~beside], first[:, ~beside])
    moved = later - np.indices(_SHAPE)
    same = (moved[:, 22:24, 14:20] == moved[:, 21:22, 14:15]).all(axis=0)
    assert same.all()
    assert (later[1][beside] >= _EDGE).all()


def test_a_copy_fits_what_lies_around() -> None:
    """Rows of a plantation, which are of one kind everywhere, go on through a copied patch."""
    shape = (40, 40)
    cells = np.full((3, *shape), np.where(np.arange(40) % 5 < 2, 0.8, 0.4), np.float32)
    analogues = _of_one_object(cells)
    new, none = np.zeros(shape, bool), np.full((2, *shape), NO_SOURCE, np.int32)
    new[14:24, 15:23] = True
    for seed in range(6):
        found = analogues.sources(new, none, seed=seed, member=0)
        moved = (found - np.indices(shape))[:, new]
        assert (np.abs(moved).max(axis=0) >= 4).all()
        assert (moved[1] % 5 == 0).all()


@pytest.mark.parametrize("taught", [False, True])
def test_nothing_becomes_a_piece_of_river(taught: bool) -> None:
    shape = (60, 60)
    river = np.broadcast_to((np.arange(60) >= 40) & (np.arange(60) < 46), shape)
    cells = np.repeat(np.where(river, _WATER, _DESERT)[None], 3, axis=0).astype(np.float32)
    new = np.zeros(shape, bool)
    new[24:36, 34:39] = True
    events = None
    if taught:
        before = surroundings_of(cells, float(cells.std()))[new.ravel()]
        events = Events(before, np.flatnonzero(river)[: len(before)])
    for corridors, becomes in ((river, _DESERT), (np.zeros_like(river), _WATER)):
        analogues = _of_one_object(cells, corridors=corridors, events=events, detailed=river)
        became = np.mean(_became(analogues, new, 10))
        assert abs(became - becomes) < abs(became - (_DESERT + _WATER - becomes))


def test_a_copy_leaves_out_a_river_that_looks_like_the_fields_beside_it() -> None:
    """A patch is wider than fields between rivers: no place of its shape is free of them."""
    shape = (60, 60)
    rivers = np.indices(shape)[1] % 8 < 3
    cells = np.random.default_rng(0).normal(_DESERT, 0.01, (3, *shape)).astype(np.float32)
    new, none = np.zeros(shape, bool), np.full((2, *shape), NO_SOURCE, np.int32)
    new[24:36, 24:36] = True
    found = _of_one_object(cells, corridors=rivers).sources(new, none, seed=1, member=0)
    copied = new & (found[0] >= 0)
    assert copied.sum() > new.sum() / 2
    assert not rivers[found[0][copied], found[1][copied]].any()


def test_ground_beside_which_nothing_was_seen_is_left_to_the_network(
    cells: NDArray[np.float32],
) -> None:
    seen = np.zeros(_SHAPE, bool)
    seen[:, 26:] = True
    analogues = _of_one_object(cells, seen=seen)
    found = analogues.sources(_new(), _none(), seed=1, member=0)
    assert (found == NO_SOURCE).all()


def test_ground_becomes_what_like_ground_became_here(cells: NDArray[np.float32]) -> None:
    found = _analogues(cells).sources(_new(), _none(), seed=0, member=0)
    assert (found[1][_new()] >= _EDGE).all()


def _became_of_desert(left: int, members: int) -> list[float]:
    """Means of a patch from a column on; of 24 like cells 6 became town and 18 water.

    Right of the desert lies a town above water.
    """
    shape = (60, 60)
    row, column = np.indices(shape)
    ground = np.where(column < 20, _DESERT, np.where(row < 30, _TOWN, _WATER))
    cells = np.repeat(ground[None], 3, axis=0).astype(np.float32)
    contrast = float(cells.std())
    before = surroundings_of(np.full_like(cells, _DESERT), contrast)[:24]
    at = np.where(np.arange(24) % 4 == 0, 15 * 60, 45 * 60) + 30 + np.arange(24)
    new = np.zeros(shape, bool)
    new[27:33, left : left + 6] = True
    return _became(_of_one_object(cells, events=Events(before, at)), new, members)


def test_every_outcome_of_like_ground_comes_about_as_often_as_it_did() -> None:
    """Town and water lie beside the patch."""
    became = _became_of_desert(14, 200)
    town = np.isclose(became, _TOWN, atol=0.05)
    assert (town | np.isclose(became, _WATER, atol=0.05)).all()
    assert town.mean() == pytest.approx(0.25, abs=0.1)


def test_ground_does_not_become_what_lies_nowhere_near() -> None:
    assert _became_of_desert(4, 20) == pytest.approx([_DESERT] * 20, abs=0.05)


def test_towns_stay_where_ground_of_their_colour_became_desert() -> None:
    """Earlier dates do not show their detail."""
    shape = (40, 40)
    ground = np.broadcast_to(np.where(np.arange(40) < 30, _DESERT, _TOWN), shape)
    cells = np.repeat(ground[None], 3, axis=0).astype(np.float32)
    before = surroundings_of(cells, float(cells.std()))[ground.ravel() == _TOWN]
    events = Events(before, np.flatnonzero(ground == _DESERT)[: len(before)])
    new = np.zeros(shape, bool)
    new[17:23, 31:37] = True
    plain, town = (
        _of_one_object(cells, events=events, detailed=where) for where in (False, ground == _TOWN)
    )
    assert np.mean(_became(plain, new, 10)) > 0.7
    assert np.mean(_became(town, new, 10)) < 0.5


def test_same_seed_and_member_same_sources_another_member_others(
    cells: NDArray[np.float32],
) -> None:
    first, again, other = (
        _analogues(cells).sources(_new(), _none(), seed=1, member=member) for member in (0, 0, 1)
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
