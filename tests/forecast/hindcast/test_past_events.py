"""What changed in a region before, and where it is seen today."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from forecast.hindcast.past import Past
from forecast.hindcast.past_events import Events, kinds_of, past_events, surroundings_of

_SHAPE = (40, 48)
_CONTRAST = 0.2
_DESERT, _TOWN = 0.8, 0.4


def _cells(town_from: int) -> NDArray[np.float32]:
    """A desert on the left and a town that reaches from a column to the right edge."""
    ground = np.where(np.arange(_SHAPE[1]) < town_from, _DESERT, _TOWN)
    return np.broadcast_to(ground, (3, *_SHAPE)).astype(np.float32)


@pytest.fixture
def past() -> Past:
    """Of four dates; the town grew between the second and the third."""
    cells = np.stack([_cells(30), _cells(30), _cells(20), _cells(20)])
    return Past(cells, np.ones((4, *_SHAPE), bool), np.array([2000.0, 2003.0, 2006.0, 2008.0]))


def test_cells_that_changed_are_found_with_what_they_looked_like(past: Past) -> None:
    events = past_events(past, _CONTRAST)
    row, col = np.divmod(events.at, _SHAPE[1])
    assert set(col) == set(range(20, 30))
    assert set(row) == set(range(_SHAPE[0]))
    inner = np.abs(events.before[:, :3] - _DESERT / _CONTRAST).max(axis=1) < 1e-4
    assert set(col[inner]) == set(range(20, 28))  # The others had the town beside them.


def test_a_line_of_one_cell_is_no_event(past: Past) -> None:
    cells = np.array(past.cells)
    cells[2:] = cells[0]
    cells[2:, :, :, 10] = _TOWN
    assert not len(past_events(Past(cells, past.known, past.years), _CONTRAST).at)


def test_what_was_not_seen_today_is_no_event(past: Past) -> None:
    known = past.known.copy()
    known[-1, :20] = False
    events = past_events(Past(past.cells, known, past.years), _CONTRAST)
    assert (events.at >= 20 * _SHAPE[1]).all()


def test_the_cells_most_alike_come_first(past: Past) -> None:
    events = past_events(past, _CONTRAST)
    desert = surroundings_of(_cells(48), _CONTRAST)[0]
    like = events.like(desert)
    assert set(like % _SHAPE[1]) <= {20, 21}  # Farthest from the town of that time.
    nothing = np.full(8, 100.0, np.float32)
    assert not len(events.like(nothing))


def test_events_are_read_as_they_were_written(past: Past, tmp_path: Path) -> None:
    events = past_events(past, _CONTRAST)
    events.save(tmp_path / "events.npz")
    read = Events.load(tmp_path / "events.npz")
    assert read is not None
    np.testing.assert_array_equal(read.at, events.at)
    np.testing.assert_array_equal(read.before, events.before)
    assert Events.load(tmp_path / "none.npz") is None


def _kind(cells: NDArray[np.float32], detail: float = 0) -> NDArray[np.float32]:
    image = cells.repeat(4, axis=1).repeat(4, axis=2)
    image += np.where(np.indices(image.shape[1:]).sum(axis=0) % 2, detail, -detail)
    return np.asarray(kinds_of(image, cells, 0.1).reshape(*_SHAPE, 5)[12, 12])


def test_ground_of_the_same_colour_but_another_texture_is_another_kind() -> None:
    plain = np.full((3, *_SHAPE), 0.5, np.float32)
    speckled = plain.copy()
    speckled[:, ::2, ::2] += 0.3
    speckled -= speckled.mean() - 0.5
    calm, rough = (_kind(cells) for cells in (plain, speckled))
    assert abs(calm[:3] - rough[:3]).max() < 0.5
    assert rough[3] - calm[3] > 2
    np.testing.assert_allclose(_kind(plain, 0.2), [5, 5, 5, 0, 2 * 0.2 / 0.1], atol=1e-3)
