"""The benchmark of a forecast's cost runs, on little."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmarks.cost.forecast


def test_cost_is_told_beside_the_reference(
    tiny_model_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks.cost.forecast, "reference_seconds", lambda repeats: 100.0)
    arguments = ["--side", "128", "--years", "3", "--members", "1"]
    benchmarks.cost.forecast.main([*arguments, "--model", str(tiny_model_folder)])
    costs, shares = (
        {cells[1].strip(): cells[2:-1] for cells in (row.split("|") for row in table.splitlines())}
        for table in capsys.readouterr().out.strip().split("\n\n")
    )
    assert float(costs["reference, a year"][0]) == 100
    seconds, ratio = (float(cell) for cell in costs["landcast, each further year"])
    assert ratio == pytest.approx(100 / seconds, rel=0.1)
    assert float(costs["landcast, 3 years in all"][0]) > 0
    for network in ("UNet", "lift"):
        operations, share = (float(cell) for cell in shares[network])
        assert operations > 0
        assert share > 0
