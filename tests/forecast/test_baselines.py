from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from forecast.baselines import DressedPersistence
from forecast.training.place_tensors import GroundPlace
from preprocessing.errors import ModelFolderError


def place(number: int, *, noise: float = 10.0) -> GroundPlace:
    """Two dates that differ by noise of cells, which doubles from one year to four."""
    generator = np.random.default_rng(number)
    years = 1.0 if number % 2 == 0 else 4.0
    past = np.full((3, 128, 128), 120, np.uint8)
    cells = generator.normal(0, noise, (3, 32, 32)) * np.sqrt(years)
    change = np.rint(cells).repeat(4, -1).repeat(4, -2)
    # In colours of its own: half as bright.
    future = np.clip(past + change, 0, 255) / 2
    colours = np.eye(3, 4, dtype=np.float32)[None].repeat(2, axis=0)
    colours[1] *= 2
    return GroundPlace(
        name=str(number),
        dataset="fine" if number < 20 else "coarse",
        gsd_m=1.0 if number < 20 else 30.0,
        years=np.array([0, years]),
        images=np.stack([past, future.astype(np.uint8)]),
        valid=np.ones((2, 128, 128), bool),
        colours=colours,
        labels={},
    )


def test_dressing_has_the_spread_of_its_horizon_and_resolution(tmp_path: Path) -> None:
    places = [place(n, noise=10.0 if n < 20 else 5.0) for n in range(40)]
    DressedPersistence.fit(places).save(tmp_path)
    dressed = DressedPersistence.load(tmp_path)
    generator = np.random.default_rng(0)
    for years, gsd_m, spread in ((1, 1.0, 10), (4, 1.0, 20), (1, 30.0, 5), (3, 25.0, 10)):
        found = dressed.residuals((20, 3, 32, 32), years=years, gsd_m=gsd_m, generator=generator)
        assert found.shape == (20, 3, 32, 32)
        assert float(found.std() * 255) == pytest.approx(spread, rel=0.05)


def test_missing_dressing_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"dressed_persistence\.json"):
        DressedPersistence.load(tmp_path)
