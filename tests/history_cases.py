"""Pairs, stores and a model for the tests of earlier dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from forecast.unet import ForecastUNet
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import Pairs, PairStore
from tests.conftest import picture


def pairs_of(*dates: tuple[int, int], tone: float = 1.0) -> Pairs:
    """One tile at pairs of dates; the ground brightens in its left half, 5 grey levels a year.

    Each pair is stored in the tone of its earlier date: contrast `tone` for odd years, else 1.
    """
    ground = 60.0 + picture(128, 128).astype(float) / 4

    def seen(year: int, tone_of: int) -> np.ndarray:
        image = ground.copy()
        image[..., :64] += 5 * (year - 2000)
        return np.rint(image * (tone if tone_of % 2 else 1.0)).astype(np.uint8)

    count = len(dates)
    return Pairs(
        past=np.stack([seen(past, past) for past, _ in dates]),
        future=np.stack([seen(future, past) for past, future in dates]),
        valid=np.ones((count, 128, 128), bool),
        years=np.array([future - past for past, future in dates], np.float32),
        gsd_m=np.full(count, 10, np.float32),
        row=np.zeros(count, np.int32),
        col=np.zeros(count, np.int32),
        split=np.zeros(count, np.uint8),
        source=np.array([f"toy/place/{past}/{future}" for past, future in dates]),
    )


def history_model() -> ForecastUNet:
    torch.manual_seed(0)
    model: ForecastUNet = ForecastUNet(block_out_channels=(16, 32), history=2)
    return model.eval()


def index_of(folder: Path) -> PairIndex:
    """Three pairs of four dates, stored."""
    store = PairStore.create(folder / "pairs.zarr")
    store.append(pairs_of((2004, 2006), (2003, 2004), (2000, 2003)))
    return PairIndex.of([folder / "pairs.zarr"], "train")
