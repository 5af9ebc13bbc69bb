from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from evaluation_cases import cases, noise, score
from torch import Tensor

from forecast.evaluation.aggregation import NullResolution
from forecast.evaluation.cases import Cases
from forecast.evaluation.catalogue import SCORES, shown
from forecast.evaluation.change_probability import ChangeProbability
from forecast.evaluation.energy import EnergyScore
from forecast.evaluation.ranks import RankHistogram
from forecast.evaluation.scoring import all_statistics
from forecast.evaluation.statistic import Statistic
from forecast.evaluation.values import ValueScores


def masked(seed: int = 5) -> tuple[Tensor, Cases]:
    """An ensemble with gaps, some of it exactly on the truth."""
    truth = noise(5, 3, 32, 32, seed=seed)
    members = noise(6, 5, 3, 32, 32, seed=seed + 1)
    members[0, :, :, :9] = truth[:, :, :9]
    weight = (noise(5, 1, 32, 32, seed=seed + 2) > -0.05).float()
    weight[4] = 0
    return members, cases(truth, weight)


@pytest.mark.parametrize("statistic", all_statistics(seed=3), ids=lambda s: s.name)
def test_sums_do_not_depend_on_batch_or_order(statistic: Statistic) -> None:
    members, whole = masked()
    together = statistic.sums(members, whole)
    order = torch.tensor([3, 0, 4, 2, 1])
    apart = np.concatenate(
        [
            statistic.sums(members[:, part], whole.take(part))
            for part in (order[:1], order[1:3], order[3:])
        ]
    )
    np.testing.assert_allclose(apart, together[order], rtol=1e-5, atol=1e-5)
    assert (together[4] == 0).all()  # Nothing seen, nothing added.
    unknown = statistic.scores(np.zeros(together.shape[1]))
    for name, value in unknown.items():
        assert name in SCORES
        assert np.isnan(value) or (name == "pixels" and value == 0)


@pytest.mark.parametrize("statistic", all_statistics(seed=3), ids=lambda s: s.name)
def test_what_is_not_observed_does_not_count(statistic: Statistic) -> None:
    members, whole = masked()
    hidden = (whole.weight == 0).expand_as(whole.difference)
    spoiled = whole.difference.masked_fill(hidden, 0.4)
    other = members.masked_fill(hidden, -0.4)
    changed = cases(spoiled, whole.weight)
    np.testing.assert_allclose(
        statistic.sums(other, changed), statistic.sums(members, whole), rtol=1e-6
    )


@pytest.mark.parametrize("statistic", all_statistics(seed=3), ids=lambda s: s.name)
def test_scores_of_many_sums_are_those_of_each(statistic: Statistic) -> None:
    members, whole = masked()
    sums = statistic.sums(members, whole)[:4]
    many = statistic.scores(sums)
    for i in range(4):
        for name, value in statistic.scores(sums[i]).items():
            np.testing.assert_allclose(many[name][i], value)


def test_values_equal_brute_force() -> None:
    members, whole = masked()
    found = score(ValueScores(), members, whole)
    m = len(members)
    totals: dict[str, list[float]] = {}
    seen = whole.weight[:, 0] > 0
    moved = whole.difference.abs().mean(dim=1) > 20 / 255
    for suffix, where in (("", seen), ("_changed", seen & moved), ("_unchanged", seen & ~moved)):
        x = members.permute(0, 2, 1, 3, 4)[:, :, where].double().numpy()
        y = whole.difference.permute(1, 0, 2, 3)[:, where].double().numpy()
        pairs = sum(np.abs(a - b) for a, b in itertools.permutations(x, 2))
        crps = np.abs(x - y).mean(axis=0) - pairs / (2 * m * (m - 1))
        mse = ((x.mean(axis=0) - y) ** 2).mean()
        spread = math.sqrt(x.var(axis=0, ddof=1).mean() * (m + 1) / m / mse)
        totals[f"crps{suffix}"] = crps.mean()
        totals[f"mae{suffix}"] = np.abs(np.median(x, axis=0) - y).mean()
        totals[f"rmse{suffix}"] = math.sqrt(mse)
        fair = mse - (x.var(axis=0, ddof=1) / m).mean()
        totals[f"rmse_fair{suffix}"] = math.sqrt(max(fair, 0))
        totals[f"bias{suffix}"] = (x.mean(axis=0) - y).mean()
        totals[f"spread_skill{suffix}"] = spread
    totals["pixels"] = float(seen.sum())
    assert found == pytest.approx(totals, rel=1e-4)


def test_one_member_is_scored_by_its_error() -> None:
    truth = noise(2, 3, 32, 32)
    found = score(ValueScores(), torch.zeros(1, 2, 3, 32, 32), cases(truth))
    assert found["crps"] == pytest.approx(float(truth.abs().mean()), rel=1e-5)
    assert found["mae"] == found["crps"]
    assert found["rmse_fair"] == found["rmse"]
    assert math.isnan(found["spread_skill"])
    energy = score(EnergyScore(), torch.zeros(1, 2, 3, 32, 32), cases(truth))["energy"]
    assert energy == pytest.approx(float(truth.square().mean(dim=(1, 2, 3)).sqrt().mean()))


def test_the_fair_error_of_few_members_is_the_error_of_many() -> None:
    known = cases(noise(20, 3, 32, 32, seed=1))
    members = noise(400, 20, 3, 32, 32, seed=2)
    few, many = (score(ValueScores(), members[:m], known) for m in (3, 400))
    assert few["rmse_fair"] == pytest.approx(many["rmse"], rel=0.02)
    assert few["rmse"] > 1.1 * many["rmse"]


@pytest.mark.parametrize("m", [3, 8])
def test_a_calibrated_ensemble_has_flat_ranks_and_spread_skill_one(m: int) -> None:
    # Truth and members share a part that differs from pixel to pixel.
    centre = noise(20, 3, 32, 32, seed=1)
    truth, members = (
        centre + noise(20, 3, 32, 32, seed=2),
        centre + noise(m, 20, 3, 32, 32, seed=3),
    )
    known = cases(truth)
    n = truth.numel()
    ranks = RankHistogram(seed=0)
    share = np.array(ranks.curves(ranks.sums(members, known).sum(axis=0))["rank_share"])
    # Five standard errors of a share.
    assert np.abs(share - 1 / (m + 1)).max() < 5 / math.sqrt((m + 1) * n)
    assert score(ranks, members, known)["rank_deviation"] < 5 * math.sqrt((m + 1) / n)
    assert abs(score(ranks, members, known)["outlier_excess"]) < 5 / math.sqrt(n)
    spread = score(ValueScores(), members, known)["spread_skill"]
    assert spread == pytest.approx(1, abs=5 / math.sqrt(2 * n))
    narrow = score(ranks, centre + 0.3 * (members - centre), known)
    assert narrow["rank_deviation"] > 0.3
    assert narrow["outlier_excess"] > 0.2
    assert score(ValueScores(), centre + 0.3 * (members - centre), known)["spread_skill"] < 0.5


def test_ranks_of_changed_and_unchanged_ground_are_counted_apart() -> None:
    truth = torch.zeros(1, 3, 32, 32)
    truth[..., :8, :] = 0.5  # A quarter changed, and every member says otherwise.
    members = 0.01 * noise(4, 1, 3, 32, 32)
    ranks = RankHistogram(seed=0)
    sums = ranks.sums(members, cases(truth))
    whole, moved, still = np.split(sums[0], 3)
    np.testing.assert_array_equal(whole, moved + still)
    np.testing.assert_array_equal(moved, [0, 0, 0, 0, 3 * 8 * 32])
    found = ranks.scores(sums[0])
    assert found["rank_deviation_changed"] == pytest.approx(4 / 5 + 4 * 1 / 5)
    assert found["outlier_excess_changed"] == pytest.approx(1 - 2 / 5)
    # Zero among four symmetric members falls as a coin does: binomial shares.
    assert found["rank_deviation_unchanged"] == pytest.approx(0.55, abs=0.06)


def test_ties_are_broken_at_random_and_repeatably() -> None:
    truth = torch.zeros(3, 3, 32, 32)
    members = torch.zeros(4, 3, 3, 32, 32)
    members[3] = 1.0  # Ranks 0 to 3 are open, 4 is not.
    sums = RankHistogram(seed=1).sums(members, cases(truth))[:, :5]  # Of all ground.
    total = sums.sum(axis=0) / sums.sum()
    assert total[4] == 0
    n = truth.numel()
    assert np.abs(total[:4] - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / n)
    np.testing.assert_array_equal(RankHistogram(seed=1).sums(members, cases(truth))[:, :5], sums)
    assert (RankHistogram(seed=2).sums(members, cases(truth))[:, :5] != sums).any()


def test_energy_score_equals_brute_force() -> None:
    members, whole = masked()
    found = EnergyScore().sums(members, whole)
    m = len(members)
    for i in range(4):
        seen = whole.weight[i].expand(3, -1, -1) > 0
        x, y = members[:, i][:, seen].double(), whole.difference[i][seen].double()
        skill = sum(float((a - y).norm()) for a in x) / m
        pairs = sum(float((a - b).norm()) for a, b in itertools.permutations(x, 2))
        expected = (skill - pairs / (2 * m * (m - 1))) / math.sqrt(int(seen.sum()))
        assert found[i, 0] == pytest.approx(expected, rel=1e-9)


def test_energy_score_does_not_depend_on_ensemble_size() -> None:
    truth = noise(4000, 3, 1, 1, seed=1)
    means, errors = [], []
    for m in (2, 12):
        rows = EnergyScore().sums(noise(m, 4000, 3, 1, 1, seed=m), cases(truth))[:, 0]
        means.append(rows.mean())
        errors.append(rows.std() / math.sqrt(len(rows)))
    assert abs(means[0] - means[1]) < 5 * math.hypot(*errors)


def test_brier_and_its_parts() -> None:
    members, whole = masked()
    found = score(ChangeProbability(), members, whole)
    seen = whole.weight[:, 0] > 0
    moved = (members.abs().mean(dim=2) > 20 / 255).double().mean(dim=0)[seen].numpy()
    truth = (whole.difference.abs().mean(dim=1) > 20 / 255).double()[seen].numpy()
    assert found["brier"] == pytest.approx(((moved - truth) ** 2).mean(), rel=1e-9)
    assert found["change_share"] == pytest.approx(truth.mean())
    assert found["change_share_forecast"] == pytest.approx(moved.mean())
    uncertainty = truth.mean() * (1 - truth.mean())
    parts = found["brier_reliability"] - found["brier_resolution"] + uncertainty
    assert found["brier"] == pytest.approx(parts, rel=1e-9)
    m = len(members)
    few = (moved * (1 - moved)).mean() / (m - 1)
    assert found["brier_fair"] == pytest.approx(found["brier"] - few)


def test_fair_brier_does_not_depend_on_ensemble_size() -> None:
    def draw(*shape: int, seed: int) -> Tensor:
        change = torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.3
        return change.float().unsqueeze(-3).expand(*shape[:-2], 3, *shape[-2:])

    truth = draw(60, 32, 32, seed=0)
    means = [
        score(ChangeProbability(), draw(m, 60, 32, 32, seed=m), cases(truth))["brier_fair"]
        for m in (2, 9)
    ]
    # Of 0.3 * 0.7, within five standard errors.
    assert means == pytest.approx([0.21, 0.21], abs=5 * 0.5 / math.sqrt(60 * 1024))


def test_a_perfect_forecast_is_perfect() -> None:
    truth = noise(3, 3, 32, 32, seed=9)
    found: dict[str, float] = {}
    for statistic in all_statistics(seed=0):
        found |= score(statistic, truth.expand(4, -1, -1, -1, -1), cases(truth))
    for name in ("crps", "mae", "rmse", "bias", "energy"):
        assert found[name] == pytest.approx(0, abs=1e-9)
    for name in ("spectral_distance_db", "spectral_bias_db", "gabor_distance"):
        assert found[name] == pytest.approx(0, abs=1e-9)
    assert found["ssim"] == pytest.approx(1, abs=1e-6)
    assert found["null_resolution_px"] == 4


def test_null_resolution_by_construction() -> None:
    # The mean over 2x2 blocks is known, the rest is wrong: as noisy as the truth within blocks.
    blocks = torch.nn.functional.interpolate(noise(20, 3, 16, 16, seed=1), scale_factor=2)
    detail, wrong = (noise(20, 3, 32, 32, seed=s, scale=0.3) for s in (2, 3))

    def within(field: Tensor) -> Tensor:
        mean = torch.nn.functional.avg_pool2d(field, 2)
        return field - torch.nn.functional.interpolate(mean, scale_factor=2)

    truth = blocks + within(detail)
    statistic = NullResolution()
    sums = statistic.sums((blocks + within(wrong))[None], cases(truth)).sum(axis=0)
    assert statistic.scores(sums)["null_resolution_px"] == 8
    ratios = statistic.curves(sums)["rmse_ratio"]
    assert ratios[0] > 1
    assert ratios[1] == pytest.approx(0, abs=1e-3)
    still = statistic.sums(torch.zeros(1, 20, 3, 32, 32), cases(truth)).sum(axis=0)
    assert statistic.scores(still)["null_resolution_px"] == math.inf
    assert statistic.curves(still)["rmse_ratio"] == pytest.approx([1.0] * 6)
    assert shown("null_resolution_px", math.inf) == "never"


def test_blocks_count_by_what_is_seen_of_them() -> None:
    members, whole = masked()
    statistic = NullResolution()
    found = statistic.curves(statistic.sums(members, whole).sum(axis=0))["rmse_ratio"]
    weight = whole.weight[:, 0].double().numpy().reshape(5, 8, 4, 8, 4).sum(axis=(2, 4))[:, None]
    squares = []
    for field in (members.mean(dim=0) - whole.difference, whole.difference):
        seen = (field * whole.weight).double().numpy().reshape(5, 3, 8, 4, 8, 4).sum(axis=(3, 5))
        squares.append((seen**2 / np.maximum(weight, 1)).sum())  # Mean squared, times weight.
    assert found[2] == pytest.approx(math.sqrt(squares[0] / squares[1]), rel=1e-4)
