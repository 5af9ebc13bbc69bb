from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from forecast.pretrained import load_model
from forecast.training.data import PairData
from forecast.training.loop import train_forecast
from preprocessing.errors import PairStoreError
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import PairStore
from tests.training_cases import TINY, make_store


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    """Two stores of the datasets `toy`, 12 pairs, and `other`, 24 pairs."""
    first = make_store(tmp_path / "first.zarr", 12)
    pairs = PairStore(make_store(tmp_path / "template.zarr", 24)).read()
    second = tmp_path / "second.zarr"
    names = np.array([name.replace("toy", "other") for name in pairs.source.tolist()])
    PairStore.create(second).append(replace(pairs, source=names))
    return [first, second]


def shares(stores: list[Path], weights: dict[str, float]) -> dict[str, float]:
    data = PairData(
        PairIndex.of(stores, "train", side_px=None),
        seed=0,
        mixing_power=0.0,
        dataset_weights=weights,
    )
    drawn = data.index.dataset[data._draw(np.random.default_rng(0), 4000)]
    return {name: float((drawn == name).mean()) for name in ("toy", "other")}


def test_datasets_are_drawn_by_their_weights(stores: list[Path]) -> None:
    # Four standard errors of a share of 4000 draws.
    near = {"abs": 0.032}
    assert shares(stores, {})["toy"] == pytest.approx(0.5, **near)
    assert shares(stores, {"toy": 3.0})["toy"] == pytest.approx(0.75, **near)
    assert shares(stores, {"other": 0.0}) == {"toy": 1.0, "other": 0.0}


def test_weights_of_datasets_that_are_not_there(stores: list[Path], tmp_path: Path) -> None:
    config = replace(TINY, dataset_weights=(("landsat", 2.0),))
    with pytest.raises(PairStoreError, match=r"other, toy, got also landsat"):
        train_forecast(stores, tmp_path / "run", config)
    nothing = replace(TINY, dataset_weights=(("toy", 0.0), ("other", 0.0)))
    with pytest.raises(PairStoreError, match="above 0"):
        train_forecast(stores, tmp_path / "run", nothing)
    assert not (tmp_path / "run").exists()


def test_guidance_of_a_recipe_pushes_away_from_the_forecast_without_a_picture(
    stores: list[Path], tmp_path: Path
) -> None:
    config = replace(
        TINY, objective="flow", sampling_steps=2, condition_dropout=0.5, guidance=3.0, steps=2
    )
    model = load_model(train_forecast(stores, tmp_path / "run", config), device=torch.device("cpu"))
    assert model.config.guidance == 3.0
    past = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    noisy = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    time, years, gsd_m = torch.ones(1), torch.ones(1), torch.full((1,), 10.0)
    condition = model.condition(past)
    with torch.inference_mode():
        seen = model(noisy, condition, time, years, gsd_m)
        blind = model(noisy, torch.zeros_like(condition), time, years, gsd_m)
        guided = model.guided(noisy, condition, time, years, gsd_m)
    torch.testing.assert_close(guided, blind + 3 * (seen - blind))
    assert float((guided - seen).abs().max()) > 1e-4
