from __future__ import annotations

import pytest
import torch

from forecast.evaluation.statistic import Observed
from forecast.evaluation.tally import Tally


def test_parts_add_up_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(3)
    members = torch.randn(5, 6, 3, 8, 8, generator=generator) * 0.1
    truth = torch.randn(6, 3, 8, 8, generator=generator) * 0.1
    weight = (torch.rand(6, 1, 8, 8, generator=generator) > 0.3).float()

    def part(items: slice) -> Tally:
        return Tally.of(members[:, items], Observed(truth[items], weight[items]))

    whole = part(slice(None)).scores()
    merged = (Tally() + part(slice(2, None)) + part(slice(2)) + Tally()).scores()
    assert {"crps", "crps_changed", "rmse", "bias", "spread_skill", "brier"} <= merged.keys()
    assert merged == pytest.approx(whole, rel=1e-9)
    error = ((members.mean(dim=0) - truth) ** 2 * weight).sum() / (3 * weight.sum())
    assert merged["rmse"] == pytest.approx(float(error.sqrt()), rel=1e-5)
    assert Tally().scores() == {}
