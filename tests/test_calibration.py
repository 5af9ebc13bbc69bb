"""Calibration of the spread by factors on the noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.workflows import calibrate_forecast
from forecast.baselines import DressedPersistence
from forecast.evaluation import tiles
from forecast.pretrained import load_model
from forecast.training.calibration import calibrate
from forecast.training.data import PairData
from forecast.unet import ForecastUNet
from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore

_SPREAD = {("a", 1.0): 0.02, ("b", 1.0): 0.03, ("a", 4.0): 0.06, ("b", 4.0): 0.06}
"""Standard deviation of the true change by dataset and years, on 4x4 means."""


@pytest.fixture
def noisy_pairs(tmp_path: Path) -> PairData:
    """Two datasets of pairs that differ by white noise."""
    generator = np.random.default_rng(0)
    n = 24
    years = np.tile([1.0, 4.0], n // 2).astype(np.float32)
    names = ["ab"[i % 4 // 2] for i in range(n)]
    change = (
        generator.standard_normal((n, 3, 32, 32))
        * np.array([_SPREAD[key] for key in zip(names, years, strict=True)])[:, None, None, None]
    )
    past = np.full((n, 3, 128, 128), 128, np.uint8)
    future = 128 + 255 * np.kron(change, np.ones((4, 4)))
    store = PairStore.create(tmp_path / "noisy.zarr")
    store.append(
        Pairs(
            past=past,
            future=future.round().astype(np.uint8),
            valid=np.ones((n, 128, 128), bool),
            years=years,
            gsd_m=np.full(n, 10, np.float32),
            row=np.zeros(n, np.int32),
            col=np.zeros(n, np.int32),
            split=np.ones(n, np.uint8),
            source=np.array([f"{name}/{i}/2000/2001" for i, name in enumerate(names)]),
        )
    )
    return PairData(PairIndex.of([tmp_path / "noisy.zarr"], "val", side_px=None), seed=0)


def test_the_spread_becomes_that_of_the_truth(
    noisy_pairs: PairData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(
        model: ForecastUNet, past: Tensor, years: Tensor, _: Tensor, **options: int
    ) -> Tensor:
        ((_, factor),) = model.config.noise_scale
        own = torch.tensor([{1.0: 0.02, 4.0: 0.03}[float(y)] for y in years])
        generator = torch.Generator().manual_seed(options["seed"])
        noise = torch.randn((options["members"], len(past), 3, 32, 32), generator=generator)
        return factor * own.view(1, -1, 1, 1, 1) * noise

    monkeypatch.setattr(tiles, "predict_tiles", predict)
    model = ForecastUNet((16, 32), attention_levels=0)
    dressed = DressedPersistence.fit(noisy_pairs)
    found = calibrate(model, noisy_pairs, dressed, members=8)
    assert not model.config.noise_scale
    early, late = found.fits
    # What the other dataset wants: 0.03 or 0.02 where the model has 0.02.
    assert early.left_out == {"a": 1.5, "b": 1.0}
    assert 1.0 < early.factor < 1.5
    assert (late.factor, late.left_out) == (2.0, {"a": 2.0, "b": 2.0})
    assert found.noise_scale == ((1.0, early.factor), (4.0, 2.0))
    assert late.spread_skill["a"][-1] == pytest.approx(1.0, abs=0.1)
    assert late.spread_skill["a"][3] == pytest.approx(0.5, abs=0.1)
    assert "2 at 4 years." in found.table()
    assert "| a | 1.0 | 1.5 |" in found.table()


def test_noise_is_scaled_by_the_horizon() -> None:
    torch.manual_seed(0)
    options = {"attention_levels": 0, "regional_noise": 2}
    plain = ForecastUNet((16, 32), **options).eval()
    scaled = ForecastUNet((16, 32), noise_scale=((1.0, 2.0), (3.0, 1.0)), **options).eval()
    scaled.load_state_dict(plain.state_dict())
    noise, weather = torch.randn(3, 3, 32, 32), torch.randn(3, 2)
    condition = plain.condition(torch.rand(3, 3, 128, 128))
    years, ones = torch.tensor([0.5, 2.0, 9.0]), torch.ones(3)
    factor = torch.tensor([2.0, 1.5, 1.0]).view(3, 1, 1, 1)
    with torch.inference_mode():
        found = scaled.guided(noise, condition, ones, years, regional=weather)
        wanted = plain(noise * factor, condition, ones, years, regional=weather * factor[..., 0, 0])
    torch.testing.assert_close(found, wanted)


def test_a_calibrated_copy_forecasts_with_its_factors(
    noisy_pairs: PairData, tiny_model_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "calibrated"
    stores = [tmp_path / "noisy.zarr"]
    table = calibrate_forecast(str(tiny_model_folder), stores, out, pairs=4, members=2)
    assert table.startswith("Factors on the noise: ")
    record = json.loads((out / "calibration.json").read_text())
    scale = load_model(out, device=torch.device("cpu")).config.noise_scale
    assert [list(pair) for pair in scale] == [[f["years"], f["factor"]] for f in record["fits"]]
    before = load_model(tiny_model_folder, device=torch.device("cpu"))
    assert not before.config.noise_scale
    with pytest.raises(OutputExistsError, match="is there"):
        calibrate_forecast(str(tiny_model_folder), stores, out)


def test_models_of_several_passes_are_refused(noisy_pairs: PairData) -> None:
    model = ForecastUNet((16, 32), attention_levels=0, objective="flow")
    with pytest.raises(RequestError, match="flow"):
        calibrate(model, noisy_pairs, DressedPersistence.fit(noisy_pairs))
    with pytest.raises(ValueError, match="noise_scale"):
        ForecastUNet((16, 32), objective="flow", noise_scale=((1.0, 1.1),))
