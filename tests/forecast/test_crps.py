from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from forecast.crps import fair_crps, multiscale_crps


def brute_force_fair_crps(members: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    m = len(members)
    skill = sum((x - truth).abs() for x in members) / m
    pairs = sum((a - b).abs() for a, b in itertools.permutations(members, 2))
    return skill - pairs / (2 * m * (m - 1))


@pytest.mark.parametrize("m", [2, 3, 7])
def test_fair_crps_equals_brute_force(m: int) -> None:
    generator = torch.Generator().manual_seed(m)
    members = torch.randn(m, 4, 5, generator=generator, dtype=torch.float64)
    truth = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(fair_crps(members, truth), brute_force_fair_crps(members, truth))


def test_fair_crps_does_not_depend_on_ensemble_size() -> None:
    # E[CRPS] of N(0,1) forecasts of N(0,1) truths is 1/sqrt(pi), for every m.
    generator = torch.Generator().manual_seed(0)
    for m in (2, 8):
        n = 200_000
        scores = fair_crps(
            torch.randn(m, n, generator=generator), torch.randn(n, generator=generator)
        )
        stderr = float(scores.std()) / np.sqrt(n)
        assert abs(float(scores.mean()) - 1 / np.sqrt(np.pi)) < 5 * stderr


def test_multiscale_crps_ignores_invalid_pixels() -> None:
    generator = torch.Generator().manual_seed(1)
    members = torch.randn(2, 1, 3, 16, 16, generator=generator)
    truth = torch.randn(1, 3, 16, 16, generator=generator)
    weight = torch.ones(1, 1, 16, 16)
    weight[..., :7, :5] = 0
    expected = multiscale_crps(members, truth, weight, pool_scales=(1, 2, 8), increment_lags=(1, 3))
    spoiled = truth.clone()
    spoiled[..., :7, :5] = 100
    torch.testing.assert_close(
        multiscale_crps(members, spoiled, weight, pool_scales=(1, 2, 8), increment_lags=(1, 3)),
        expected,
    )


def test_multiscale_crps_sees_the_joint_distribution() -> None:
    # Same marginals, but one ensemble's errors move together as the truth's do.
    generator = torch.Generator().manual_seed(2)
    n = 400
    truth = torch.randn(n, 1, 1, 1, generator=generator).expand(n, 3, 8, 8).clone()
    together = torch.randn(2, n, 1, 1, 1, generator=generator).expand(2, n, 3, 8, 8).clone()
    apart = torch.randn(2, n, 3, 8, 8, generator=generator)
    weight = torch.ones(n, 1, 8, 8)
    good = multiscale_crps(together, truth, weight, pool_scales=(8,))
    assert good < 0.9 * multiscale_crps(apart, truth, weight, pool_scales=(8,))


def test_increments_prefer_changes_that_fill_fields() -> None:
    # Each half of the picture changes as a whole or not at all. The field-wise ensemble has the
    # same marginals as the pixel-wise one.
    generator = torch.Generator().manual_seed(5)

    def fields(n: int) -> torch.Tensor:
        halves = (torch.rand(n, 1, 1, 2, generator=generator) < 0.3).float()
        return halves.repeat_interleave(4, -1).expand(n, 3, 8, 8)

    truth, together = fields(500), torch.stack([fields(500), fields(500)])
    apart = (torch.rand(2, 500, 1, 8, 8, generator=generator) < 0.3).float()
    apart = apart.expand(2, 500, 3, 8, 8)
    weight = torch.ones(500, 1, 8, 8)

    def score(members: torch.Tensor, lags: tuple[int, ...]) -> float:
        views = {"pool_scales": (1,), "increment_lags": lags}
        return float(multiscale_crps(members, truth, weight, **views))

    assert abs(score(together, ()) - score(apart, ())) < 0.02
    assert score(together, (1,)) < 0.8 * score(apart, (1,))


def test_bands_that_change_together_are_preferred() -> None:
    generator = torch.Generator().manual_seed(6)
    grey = torch.randn(3, 400, 1, 8, 8, generator=generator).expand(3, 400, 3, 8, 8)
    coloured = torch.randn(2, 400, 3, 8, 8, generator=generator)
    weight = torch.ones(400, 1, 8, 8)
    good = multiscale_crps(grey[:2], grey[2], weight, pool_scales=(1,))
    assert good < 0.9 * multiscale_crps(coloured, grey[2], weight, pool_scales=(1,))


def test_all_views_of_the_bands_count_alike() -> None:
    """Closed form: two equal members that err by (1, -2, 1), too little green for red and blue."""
    error = torch.tensor([1.0, -2.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    truth = torch.zeros(1, 3, 8, 8)
    score = multiscale_crps(
        torch.stack([error, error]), truth, torch.ones(1, 1, 8, 8), pool_scales=(1,)
    )
    bands, mean, between = 1 + 2 + 1, 0, 0 + 3 + 3
    assert float(score) == pytest.approx((bands + mean + between) / 7)
