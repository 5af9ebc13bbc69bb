from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from hypothesis import settings
from numpy.typing import NDArray
from pictures import UTM, picture
from region_cases import small_network
from upscale_cases import bicubic_network

from forecast.baselines import DressedPersistence
from forecast.hindcast.observations import ObservationModels
from forecast.network.unet import ChangeUNet
from forecast.pretrained import model_folder
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog

# Property tests try the same examples every time; --hypothesis-profile=default looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def _two_threads_at_most() -> None:
    """Where pytest runs in several processes, one thread in each."""
    most = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
    torch.set_num_threads(min(most, torch.get_num_threads()))


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """Writes a GeoTIFF and returns its path."""

    def make(
        name: str = "region_2020.tif",
        *,
        height: int = 150,
        width: int = 170,
        dtype: str = "uint8",
        nodata: float | None = None,
        valid: NDArray[np.bool_] | None = None,
        count: int = 3,
        seed: int = 0,
        tags: dict[str, str] | None = None,
        scale: float = 1.0,
    ) -> Path:
        grid = Grid(height, width, Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM)
        stored = np.resize(picture(height, width, seed=seed), (count, height, width)) * scale
        stored = stored.astype(dtype)
        if valid is not None:
            stored[:, ~valid] = 0 if nodata is None else nodata
        return write_cog(
            tmp_path / name,
            grid,
            [(Window(0, 0, height, width), stored, valid)],
            count=count,
            dtype=dtype,
            nodata=nodata,
            masked=valid is not None and nodata is None,
            tags=tags,
        )

    return make


@pytest.fixture(scope="session")
def tiny_model() -> ChangeUNet:
    """A small untrained network, deterministic."""
    return small_network()


@pytest.fixture(scope="session")
def tiny_model_folder(tiny_model: ChangeUNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network as a model folder."""
    folder = tmp_path_factory.mktemp("tiny-model")
    tiny_model.save_pretrained(folder)
    table = {"dataset": "a", "gsd_m": 10.0, "horizon_class": 0}
    quantiles = np.linspace(-0.1, 0.1, 401).tolist()
    DressedPersistence(({**table, "quantiles": quantiles},)).save(folder)
    ObservationModels.load(model_folder()).alone.save(folder, alone=True)
    return folder


@pytest.fixture(scope="session")
def bicubic_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Model folder of an upscaler that interpolates."""
    folder = tmp_path_factory.mktemp("bicubic-model")
    bicubic_network().save_pretrained(folder)
    return str(folder)
