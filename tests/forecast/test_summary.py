"""What is expected, the spread of an ensemble, and which member is nearest the mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.summary import between_cells, distances_to_mean, expected_state, spread_of
from preprocessing.rasters.window import Window


def test_spread_of_members() -> None:
    members = np.array([0.2, 0.4, 0.9], np.float32)[:, None, None, None] * np.ones((3, 2, 2))
    found = spread_of(members.astype(np.float32))
    np.testing.assert_allclose(found, np.std([0.2, 0.4, 0.9], ddof=1), rtol=1e-6)
    assert not spread_of(members[:1].astype(np.float32)).any()
    equal = np.random.default_rng(0).random((1, 3, 20, 20)).astype(np.float32)
    assert not spread_of(equal.repeat(3, axis=0)).any()


def test_ground_is_expected_to_become_what_members_show_as_likely_as_it_changes() -> None:
    start = np.full((3, 1, 4), 0.5, np.float32)
    members = np.stack([start] * 6)
    members[0, :, 0, 0] = 0.9  # One member changes it,
    members[:2, 0, 0, 1] = (0.7, 0.9)  # two do, in one band,
    members[:, :, 0, 2] = 0.1  # all do, none does.
    chance = np.array([[0.05, 0.5, 0.8, 0.9]], np.float32)
    found = expected_state(start, members, chance)
    np.testing.assert_allclose(found[:, 0, 0], 0.5 + 0.05 * 0.4, rtol=1e-6)
    np.testing.assert_allclose(found[:, 0, 1], [0.5 + 0.5 * 0.3, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found[:, 0, 2], 0.5 - 0.8 * 0.4, rtol=1e-6)
    np.testing.assert_array_equal(found[:, 0, 3], start[:, 0, 3])


def test_what_is_expected_errs_less_than_the_start_where_the_mean_of_few_members_errs_more() -> (
    None
):
    drawn = np.random.default_rng(0)
    chance = np.full((100, 200), 0.05, np.float32)
    start = np.zeros((1, 100, 200), np.float32)
    *members, truth = (drawn.random((7, 1, 100, 200)) < chance).astype(np.float32)

    def error(picture: NDArray[np.float32]) -> float:
        return float(((picture - truth) ** 2).mean())

    members = np.stack(members)
    assert error(members.mean(axis=0)) > 1.05 * error(start)
    assert error(expected_state(start, members, chance)) < error(start)


def test_cells_are_interpolated_at_the_pixels_of_any_window() -> None:
    values = np.random.default_rng(0).random((9, 7)).astype(np.float32)
    whole = between_cells(values, Window(0, 0, 34, 27))
    assert whole.shape == (34, 27)
    np.testing.assert_allclose(whole[5:7, 5:7].mean(), values[1, 1], atol=0.1)
    np.testing.assert_array_equal(between_cells(values, Window(8, 4, 13, 20)), whole[8:21, 4:24])
    np.testing.assert_allclose(
        between_cells(np.full((3, 3), 0.2, np.float32), Window(0, 0, 9, 9)), 0.2
    )


def test_only_cells_that_were_seen_tell_how_far_members_are_from_the_mean() -> None:
    members = np.zeros((3, 3, 2, 5), np.float32)
    members[:, :, 1, 2] = np.array([0.1, 0.4, 0.7])[:, None]
    members[1, :, 0] = 0.9  # Where nothing was seen.
    seen = np.array([[False] * 5, [True] * 5])
    np.testing.assert_allclose(
        distances_to_mean(list(members), seen), 3 * np.array([0.09, 0, 0.09]), atol=1e-7
    )
