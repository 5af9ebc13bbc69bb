"""What the rest of a place tells of a cell's change: like cells, kinds of looks, usual swings."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.labelling.examples import KnownSeries, draw_example
from preprocessing.lasting_change.alike import beside_like_series
from preprocessing.lasting_change.dated_cells import DatedCells
from preprocessing.lasting_change.features import FEATURES, series_features
from preprocessing.lasting_change.transitions import kinds_of_looks, transitions


def test_transitions_are_those_counted_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    before = rng.dirichlet(np.ones(4), (3, 20)).astype(np.float32)
    after = rng.dirichlet(np.ones(4), (2, 20)).astype(np.float32)
    before[1, :5] = 0  # not valid
    within, across = np.zeros((4, 4)), np.zeros((4, 4))
    for period in (before, after):
        for p, q in product(range(len(period)), repeat=2):
            if p != q:
                within += np.einsum("ni,nj->ij", period[p], period[q])
    for x, y in product(before, after):
        across += np.einsum("ni,nj->ij", x, y)
    within, across = within / within.sum(), across / across.sum()
    excess, one_way, overlap = transitions(before, after)
    for cell in range(20):
        shown = [x[cell] for x in before if x[cell].any()]
        pairs = [(x, y[cell]) for x in shown for y in after]
        for found, other in ((excess, within), (one_way, across.T)):
            ratio = np.log((across + 1e-4) / (other + 1e-4))
            assert found[cell] == pytest.approx(
                np.mean([x @ ratio @ y for x, y in pairs]), abs=1e-4
            )
        same = np.minimum(np.mean(shown, axis=0), after[:, cell].mean(axis=0)).sum()
        assert overlap[cell] == pytest.approx(same, abs=1e-5)


def test_rotation_goes_both_ways_and_building_one() -> None:
    """Two crops change places from date to date; some fields of one kind become a third kind."""
    crops = np.indices((4, 60))[0] % 2 ^ (np.arange(60) % 2)
    looks = np.concatenate([crops, crops])
    looks[4:, :6] = 2
    shares = np.eye(3, dtype=np.float32)[looks]
    excess, one_way, overlap = transitions(shares[:4], shares[4:])
    assert (excess[:6] > 1).all()
    assert (excess[6:] < 0.2).all()
    assert (one_way[:6] > 3).all()
    assert np.abs(one_way[6:]).max() < 0.05
    assert overlap[:6].max() == 0
    assert overlap[6:].min() == pytest.approx(1)


def test_kinds_are_shares_of_clusters_and_follow_a_turned_palette() -> None:
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 5, (5, 3))
    kind = rng.integers(5, size=(4, 6, 7))
    looks = (centres[kind] + rng.normal(0, 0.05, (4, 6, 7, 3))).transpose(0, 3, 1, 2)
    looks = looks.astype(np.float32)
    valid = rng.random(kind.shape) < 0.9
    found = kinds_of_looks(looks, valid)
    assert found.sum(axis=-1) == pytest.approx(valid.reshape(4, -1).astype(float), abs=1e-5)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = kinds_of_looks(np.einsum("kc,dchw->dkhw", turn, looks).astype(np.float32), valid)
    for shares in (found, turned):  # looks of one kind and no others are alike
        same = np.einsum("dnk,emk->dnem", shares, shares)
        of_kind = kind.reshape(4, -1)
        other = (of_kind[:, :, None, None] != of_kind) & valid.reshape(4, -1)[:, :, None, None]
        assert same[other].max() < 0.01
    one = kinds_of_looks(np.ones((2, 3, 4, 4), np.float32), np.ones((2, 4, 4), bool))
    assert one.shape == (2, 16, 1)
    assert (one == 1).all()


def test_like_series_by_brute_force() -> None:
    rng = np.random.default_rng(2)
    before = rng.normal(size=(40, 9)).astype(np.float32)
    after = (before[:, :6] + rng.normal(0, 0.3, (40, 6))).astype(np.float32)
    smallest = rng.uniform(0, 1, 40)
    ahead, usual_ahead, back, usual_back, by_before, by_after, of_after = beside_like_series(
        before, after, smallest
    )
    own = np.log(smallest + 0.05)

    def nearest(series: NDArray[np.float32], cell: int) -> NDArray[np.intp]:
        return np.argsort(((series - series[cell]) ** 2).sum(axis=1))[:16]

    for cell in range(40):
        for known, other, apart, usual in (
            (before, after, ahead, usual_ahead),
            (after, before, back, usual_back),
        ):
            like = other[nearest(known, cell)]
            middle = np.median(like, axis=0)
            far = np.sqrt(((like - middle) ** 2).mean(axis=1))
            near = np.sqrt(((other[cell] - middle) ** 2).mean())
            assert apart[cell] == pytest.approx(np.log(near + 0.05), abs=1e-4)
            assert usual[cell] == pytest.approx(np.log(np.median(far) + 0.05), abs=1e-4)
        assert by_before[cell] == pytest.approx(
            own[cell] - np.median(own[nearest(before, cell)]), abs=1e-4
        )
        assert of_after[cell] == pytest.approx(np.median(own[nearest(after, cell)]), abs=1e-4)
        assert by_after[cell] == pytest.approx(own[cell] - of_after[cell], abs=1e-4)


def test_a_difference_counts_more_along_a_colour_that_seldom_swings() -> None:
    """Two cells differ by as much; one along the green that swings everywhere, one along red."""
    rng = np.random.default_rng(3)
    ground = rng.normal(128, 30, (3, 12, 12))
    looks = np.stack([ground] * 8)
    looks[:, 1] += rng.normal(0, 6, (8, 12, 12))
    looks += rng.normal(0, 1, looks.shape)
    looks[4:, 0, 2, 2] += 60
    looks[4:, 1, 8, 8] += 60
    texture, valid = np.ones((8, 12, 12), np.float32), np.ones((8, 12, 12), bool)
    cells = DatedCells(looks.astype(np.float32), texture, valid)
    found = series_features(cells.of(range(4)), cells.of(range(4, 8)))
    means, over = (found[FEATURES.index(name)] for name in ("means", "means_over_usual"))
    assert abs(means[2, 2] - means[8, 8]) < 0.4
    assert over[2, 2] > over[8, 8] + 1
    flat = DatedCells(np.full_like(cells.means, 90), texture, valid)
    assert np.isfinite(series_features(flat.of(range(4)), flat.of(range(4, 8)))).all()


def test_examples_have_the_dates_asked_for_and_clouds_now_and_then() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(60, 200, (10, 3, 64, 64), np.uint8)
    covers = np.ones((10, 64, 64), np.uint8)
    valid = np.ones((10, 64, 64), bool)
    series = KnownSeries(np.arange(10.0), images, valid, covers)
    few = FEATURES.index("few_after")
    for dates in (2, 3, 5):
        found = draw_example(series, rng, None, dates)
        assert found.known.all()
        assert found.features[few] == pytest.approx(1 / dates)
    hidden = [draw_example(series, rng, "mixed", 2).known.mean() < 1 for _ in range(24)]
    assert 1 < sum(hidden) < 14
