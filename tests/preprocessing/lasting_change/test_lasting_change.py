"""Lasting change: the rule, the truth of covers, the features of series."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from preprocessing.lasting_change import (
    DatedCells,
    changed_lastingly,
    smallest_difference,
)
from preprocessing.lasting_change.dated_cells import texture_of_cells
from preprocessing.lasting_change.features import FEATURES, series_features
from preprocessing.lasting_change.labelling import pairs_of_dates
from preprocessing.lasting_change.truth import cover_changed_lastingly
from preprocessing.simulator.covers import Cover


@dataclass(frozen=True)
class Dated:
    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: NDArray[np.bool_]


def fields(dates: int = 8, *, seed: int = 0, size: int = 96, built: int = 4) -> Dated:
    """Plots of colours that swing, a block of which is built over from the date `built` on."""
    rng = np.random.default_rng(seed)
    plots = np.kron(rng.uniform(40, 200, (3, size // 16, size // 16)), np.ones((16, 16)))
    images = []
    for date in range(dates):
        swing = np.kron(rng.normal(0, 12, (size // 16, size // 16)), np.ones((16, 16)))
        image = plots + swing
        if date >= built:
            image[:, 32:64, 32:64] = np.array([235, 230, 240])[:, None, None]
        images.append(image + rng.normal(0, 3, image.shape))
    stacked = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    return Dated(np.arange(2000.0, 2000.0 + dates), stacked, np.ones((dates, size, size), bool))


def test_rule_is_the_smallest_of_all_valid_pairs() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.uniform(0, 255, (n, 3, 5, 6)).astype(np.float32) for n in (3, 4))
    b_valid, a_valid = rng.random((3, 5, 6)) < 0.6, rng.random((4, 5, 6)) < 0.6
    b_valid[:, 0, 0] = False
    found = smallest_difference(before, after, b_valid, a_valid)
    changed = changed_lastingly(before, after, b_valid, a_valid, level=60)
    for y, x in product(range(5), range(6)):
        pairs = [
            float(np.sqrt(np.mean((after[a, :, y, x] - before[b, :, y, x]) ** 2)))
            for b, a in product(range(3), range(4))
            if b_valid[b, y, x] and a_valid[a, y, x]
        ]
        if pairs:
            assert found[y, x] == pytest.approx(min(pairs), rel=1e-5)
        else:
            assert np.isnan(found[y, x])
        assert changed[y, x] == (bool(pairs) and min(pairs) > 60)
    assert np.isnan(found[0, 0])


def test_what_returns_once_has_not_changed() -> None:
    before = np.full((3, 3, 1, 2), 100, np.float32)
    after = np.full((3, 3, 1, 2), 200, np.float32)
    after[1, :, 0, 0] = 105
    assert changed_lastingly(before, after).tolist() == [[False, True]]


def test_truth_of_covers() -> None:
    def period(*covers: Cover) -> list[NDArray[np.uint8]]:
        return [np.full((4, 4), cover, np.uint8) for cover in covers]

    def changed(before: tuple[Cover, ...], after: tuple[Cover, ...]) -> bool:
        return bool(cover_changed_lastingly(period(*before), period(*after))[0, 0])

    field, grass, town, water = Cover.CROPLAND, Cover.GRASS, Cover.BUILT_UP, Cover.WATER
    cut, young, forest = Cover.CLEARCUT, Cover.YOUNG_FOREST, Cover.FOREST
    assert changed((field, field), (town, town))
    assert changed((forest, forest), (cut, young))
    assert changed((forest, young), (field, field))
    assert changed((young, young), (cut, cut))
    assert not changed((field, grass), (grass, grass)), "farmers turn pasture into crops and back"
    assert not changed((field, field), (grass, grass))
    assert not changed((water, grass), (grass, water)), "a pond swings"
    assert not changed((field, town), (town, town)), "it was built before the start"
    assert not changed((field, field), (field, town)), "it is built after the target"
    assert not changed((cut, young), (young, forest)), "a stand grows back"


def test_half_of_a_cell_is_enough() -> None:
    before, after = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    after[:2, :4] = Cover.BUILT_UP
    after[4:5, :4] = Cover.BUILT_UP
    assert cover_changed_lastingly([before], [after]).tolist() == [[True, False], [False, False]]


def test_texture_is_the_deviation_within_a_cell() -> None:
    image = np.random.default_rng(1).uniform(0, 255, (3, 8, 12)).astype(np.float32)
    found = texture_of_cells(image)
    for y, x in product(range(2), range(3)):
        cell = image[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
        assert found[y, x] == pytest.approx(np.sqrt(cell.var(axis=(1, 2)).mean()), rel=1e-4)


def test_cells_come_in_the_colours_of_the_reference() -> None:
    place = fields(built=99)
    images = place.images.copy()
    images[3] = np.clip(images[3].astype(float)[::-1] * 0.8 + 20, 0, 255).astype(np.uint8)
    images[6] = images[2] // 2
    valid = place.valid.copy()
    valid[5] = False
    cells = DatedCells.of_place(Dated(place.years, images, valid)).in_colours_of(2)
    assert np.array_equal(cells.means[2], DatedCells.of_place(place).means[2])
    assert np.abs(cells.means[3] - cells.means[2]).mean() < 16  # the plots swing by 12
    assert np.abs(cells.means[6] - cells.means[2]).max() < 3  # rounding, and the map's ridge
    assert cells.texture[6].mean() == pytest.approx(cells.texture[2].mean(), rel=0.1)
    assert not cells.valid[5].any(), "a date without valid cells has no map of colours"
    assert cells.valid[[0, 1, 2, 3, 4, 6, 7]].all()


def features_of(place: Dated, start: int = 3) -> NDArray[np.float32]:
    cells = DatedCells.of_place(place).in_colours_of(start)
    last = len(place.years)
    return series_features(cells.of(list(range(start + 1))), cells.of(list(range(start + 1, last))))


def test_features_know_no_order_of_bands_and_no_gain() -> None:
    place = fields()
    found = features_of(place)
    assert found.shape == (len(FEATURES), 24, 24)
    assert np.isfinite(found).all()
    swapped = features_of(Dated(place.years, place.images[:, [2, 0, 1]], place.valid))
    assert np.abs(swapped - found).max() < 0.02  # a ridge and ranks of nearest colours
    cells = DatedCells.of_place(place).in_colours_of(3)
    dark = DatedCells(0.3 * cells.means, 0.3 * cells.texture, cells.valid)
    darker = series_features(dark.of([0, 1, 2, 3]), dark.of([4, 5, 6, 7]))
    assert np.abs(darker - found).max() < 0.01


def test_invalid_dates_do_not_matter() -> None:
    place = fields()
    valid = place.valid.copy()
    valid[[1, 6]] = False
    images = place.images.copy()
    images[[1, 6]] = 255
    kept = [0, 2, 3, 4, 5, 7]
    full = features_of(Dated(place.years, images, valid))
    few = features_of(Dated(place.years[kept], place.images[kept], place.valid[kept]), start=2)
    assert np.abs(full - few).max() < 1e-4


def test_pairs_have_two_dates_on_either_side() -> None:
    years = np.array([1985.0, 1990, 1995, 2000, 2005, 2010])
    pairs = pairs_of_dates(years, [1, 3, 10])
    assert pairs == [(1, [2, 3]), (2, [3, 4]), (3, [4])]
    assert pairs_of_dates(years[:3], [1]) == []
