from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.random_fields import ground_noise, regional_noise
from preprocessing.rasters.window import Window


@settings(max_examples=25)
@given(
    row=st.integers(-70, 200),
    col=st.integers(-70, 200),
    height=st.integers(1, 90),
    width=st.integers(1, 90),
)
def test_any_window_is_a_crop_of_the_plane(row: int, col: int, height: int, width: int) -> None:
    plane = ground_noise(Window(-80, -80, 400, 400), seed=5, member=1, year=2030, number=3)
    part = ground_noise(Window(row, col, height, width), seed=5, member=1, year=2030, number=3)
    np.testing.assert_array_equal(
        part, plane[:, row + 80 : row + 80 + height, col + 80 : col + 80 + width]
    )


def test_noise_is_standard_normal_and_unlike_its_neighbours() -> None:
    noise = ground_noise(Window(0, 0, 256, 256), seed=1, member=0, year=2020)
    n = noise.size
    assert abs(noise.mean()) < 5 / np.sqrt(n)
    assert abs(noise.std() - 1) < 5 / np.sqrt(2 * n)
    for shifted in (noise[:, :-64], noise[:, 1:]):
        other = noise[:, 64:] if shifted.shape[1] == 192 else noise[:, :-1]
        assert abs(np.corrcoef(shifted.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(other.size)


def test_seed_member_year_and_number_change_everything() -> None:
    window = Window(0, 0, 64, 64)
    base = ground_noise(window, seed=1, member=0, year=2020)
    for seed, member, year, number in (
        (2, 0, 2020, 0),
        (1, 2, 2020, 0),
        (1, 0, 2021, 0),
        (1, 0, 2020, 1),
    ):
        other = ground_noise(window, seed=seed, member=member, year=year, number=number)
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.05


def test_regional_noise_is_of_seed_member_and_year() -> None:
    first = regional_noise(seed=1, member=0, year=2020, count=8)
    assert first.shape == (8,)
    np.testing.assert_array_equal(first, regional_noise(seed=1, member=0, year=2020, count=8))
    for seed, member, year in ((2, 0, 2020), (1, 2, 2020), (1, 0, 2021)):
        other = regional_noise(seed=seed, member=member, year=year, count=8)
        assert np.abs(other - first).min() > 1e-4
    cell = ground_noise(Window(0, 0, 64, 64), seed=1, member=0, year=2020)
    assert not np.isin(first, cell).any()
    many = np.concatenate(
        [regional_noise(seed=1, member=m, year=2020, count=8) for m in range(500)]
    )
    assert abs(many.mean()) < 5 / np.sqrt(many.size)
    assert abs(many.std() - 1) < 5 / np.sqrt(2 * many.size)


def test_the_members_of_a_pair_have_opposite_noise() -> None:
    window = Window(3, 60, 20, 20)
    for first in (0, 6):
        a, b = (ground_noise(window, seed=1, member=first + m, year=2020) for m in (0, 1))
        np.testing.assert_array_equal(a, -b)
        a, b = (regional_noise(seed=1, member=first + m, year=2020, count=3) for m in (0, 1))
        np.testing.assert_array_equal(a, -b)
