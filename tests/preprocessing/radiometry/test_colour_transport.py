"""The linear transport of colours: closed form, invariances, changed ground."""

from __future__ import annotations

import numpy as np
import pytest

from preprocessing.errors import NoValidPixelsError
from preprocessing.radiometry.colour_transport import ColourTransport

LIGHT = np.array([[0.8, 0.1, 0.0], [0.1, 1.1, 0.05], [0.0, 0.05, 0.7]])
HAZE = np.array([12.0, -5.0, 20.0])


def _ground(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grey = rng.uniform(40, 190, (40, 40))
    return (grey + rng.normal(0, 18, (3, 40, 40))).astype(np.float32)


def _lit(ground: np.ndarray) -> np.ndarray:
    """Another light: symmetric and positive, so that the transport is its inverse."""
    return (np.einsum("ij,jhw->ihw", LIGHT, ground) + HAZE[:, None, None]).astype(np.float32)


def test_a_symmetric_light_is_undone() -> None:
    ground = _ground(0)
    found = ColourTransport.fit(_lit(ground), ground)
    # The variance added against noise, 4 of hundreds, is what is left.
    np.testing.assert_allclose(found.matrix, np.linalg.inv(LIGHT), atol=0.02)
    assert np.abs(found.apply(_lit(ground)) - ground).max() < 1.5


def test_mean_and_covariance_become_those_of_the_reference() -> None:
    # Every cell differs a little and none is an outlier: the weights do not matter much.
    moving, reference = (
        _lit(_ground(1)),
        _ground(1) + np.random.default_rng(2).normal(0, 1.5, (3, 40, 40)).astype(np.float32),
    )
    mapped = ColourTransport.fit(moving, reference).apply(moving)
    np.testing.assert_allclose(mapped.mean((1, 2)), reference.mean((1, 2)), atol=0.5)
    wanted = np.cov(reference.reshape(3, -1))
    np.testing.assert_allclose(np.cov(mapped.reshape(3, -1)), wanted, rtol=0.03)


def test_changed_ground_does_not_pull() -> None:
    ground = _ground(3)
    later = ground.copy()
    later[:, :12] = 235 - 0.1 * later[:, :12]  # 30 % is built over, all of it bright
    mapped = ColourTransport.fit(_lit(later), ground).apply(_lit(later))
    assert np.abs(mapped[:, 12:] - ground[:, 12:]).mean() < 0.5
    assert np.abs(mapped[:, :12] - later[:, :12]).mean() < 1.5


def test_noise_does_not_cost_contrast() -> None:
    ground = _ground(4)
    noisy = ground + np.random.default_rng(5).normal(0, 12, ground.shape).astype(np.float32)
    again = ground + np.random.default_rng(6).normal(0, 12, ground.shape).astype(np.float32)
    mapped = ColourTransport.fit(noisy, again).apply(noisy)
    np.testing.assert_allclose(mapped.std((1, 2)), noisy.std((1, 2)), rtol=0.05)


def test_colours_are_never_turned_over() -> None:
    rng = np.random.default_rng(7)
    for _ in range(10):  # Images that have nothing to do with each other, or the opposite.
        moving, reference = rng.uniform(0, 255, (2, 3, 12, 12)).astype(np.float32)
        for other in (reference, 255 - 0.7 * moving + 0.3 * reference):
            matrix = ColourTransport.fit(moving, other).matrix
            assert np.linalg.eigvalsh(matrix + matrix.T).min() > 0


def test_any_linear_light_is_undone_where_the_ground_is_the_same() -> None:
    light = LIGHT + np.array([[0, 0.1, -0.05], [-0.05, 0, 0.1], [0.1, -0.1, 0]])
    ground = _ground(10)
    seen = (np.einsum("ij,jhw->ihw", light, ground) + 15).astype(np.float32)
    mapped = ColourTransport.fit(seen, ground).apply(seen)
    raw, left = (np.abs(image - ground).mean() for image in (seen, mapped))
    assert left < 0.15 * raw  # The prior keeps a little of the turn of hues.


def test_invalid_cells_are_not_used() -> None:
    ground, valid = _ground(8), np.ones((40, 40), bool)
    moving = _lit(ground)
    wanted = ColourTransport.fit(moving[:, 10:], ground[:, 10:])
    moving[:, :10], valid[:10] = 0, False
    found = ColourTransport.fit(moving, ground, valid)
    np.testing.assert_allclose(found.matrix, wanted.matrix)


def test_identity_and_refusal() -> None:
    ground = _ground(9)
    assert np.allclose(ColourTransport.identity().apply(ground), ground, atol=1e-3)
    with pytest.raises(NoValidPixelsError, match="30 cells"):
        ColourTransport.fit(ground, ground, np.zeros((40, 40), bool))


def test_ground_of_little_contrast_does_not_burn_out_the_rest() -> None:
    rng = np.random.default_rng(7)
    # Most is one crop that ripens in patches; water and bare soil are as they were.
    reference = _ground(8)
    reference[:, :34] = 110 + rng.normal(0, 18, (3, 34, 40))
    moving = reference.copy()
    moving[:, :34] = 110 + rng.normal(0, 2, (3, 34, 40))
    mapped = ColourTransport.fit(moving, reference).apply(moving)
    spread = np.cov(mapped.reshape(3, -1)), np.cov(reference.reshape(3, -1))
    ratios = np.linalg.eigvals(np.linalg.solve(spread[1], spread[0])).real
    assert np.sqrt(ratios.max()) < 1.52
    assert np.abs(mapped[:, 34:] - reference[:, 34:]).mean() < 60
