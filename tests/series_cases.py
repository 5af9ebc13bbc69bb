"""Made places: rough ground in changing light, with a town that grows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from forecast.evaluation.series import SeriesCase


@dataclass(frozen=True)
class MadeSeries:
    name: str
    dataset: str
    split: str
    gsd_m: float
    years: NDArray[np.float64]
    images: NDArray[np.uint8]
    valid: NDArray[np.bool_]


def made_series(
    *, seed: int = 0, years: tuple[float, ...], name: str = "town", split: str = "train"
) -> MadeSeries:
    """96 x 96 px; columns left of a front that moves 4 px a year are built up; light differs."""
    rng = np.random.default_rng(seed)
    ground = 90 + 250 * gaussian_filter(rng.standard_normal((3, 96, 96)), (0, 2, 2))
    town = 200 + 15 * rng.standard_normal((1, 96, 96)).repeat(3, axis=0)
    images = []
    for year in years:
        built = np.arange(96) < 8 + 4 * (year - years[0])
        gain, offset = rng.uniform(0.9, 1.1, (3, 1, 1)), rng.uniform(-8, 8, (3, 1, 1))
        look = np.where(built, town, ground) + rng.normal(0, 1, (3, 96, 96))
        images.append((gain * look + offset).round().clip(0, 255))
    return MadeSeries(
        name,
        "made",
        split,
        30.0,
        np.array(years, float),
        np.array(images, np.uint8),
        np.ones((len(years), 96, 96), bool),
    )


def made_case(*, seed: int = 0, size: int = 24, earlier: int = 3, **other: object) -> SeriesCase:
    """A case of noise, all of whose ground is seen."""
    rng = np.random.default_rng(seed)
    image = rng.integers(20, 230, (3, 4 * size, 4 * size)).astype(np.uint8)
    fields = rng.uniform(40, 200, (2 + earlier, 3, size, size)).astype(np.float32)
    everywhere = np.ones((size, size), bool)
    case = SeriesCase(
        place="town",
        dataset="made",
        split="train",
        gsd_m=30.0,
        start=2000.0,
        years=3.0,
        image=image,
        valid=np.ones(image.shape[1:], bool),
        present=fields[0],
        truth=fields[1],
        seen=everywhere,
        earlier=fields[2:],
        earlier_seen=everywhere[None].repeat(earlier, axis=0),
        ago=np.arange(earlier, 0, -1.0),
        older=tuple(range(min(2, earlier))),
        event=rng.random((size, size)) < 0.2,
        known=everywhere,
        later_dates=3,
    )
    return replace(case, **other)
