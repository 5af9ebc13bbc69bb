"""Made places: rough ground in changing light, with a town that grows."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from forecast.evaluation.cases.case import SeriesCase
from preprocessing.series import PlaceLabel, PlaceSeries, SeriesStore


def made_series(
    *, seed: int = 0, years: tuple[float, ...], name: str = "town", split: str = "train"
) -> PlaceSeries:
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
    return PlaceSeries(
        name,
        "made",
        split,
        30.0,
        np.array(years, float),
        np.array(images, np.uint8),
        np.ones((len(years), 96, 96), bool),
    )


def made_case(
    *,
    seed: int = 0,
    size: int = 24,
    earlier: int = 3,
    name: str = "town",
    split: str = "train",
    **other: object,
) -> SeriesCase:
    """A case of noise, all of whose ground is seen."""
    rng = np.random.default_rng(seed)
    image = rng.integers(20, 230, (3, 4 * size, 4 * size)).astype(np.uint8)
    fields = rng.uniform(40, 200, (2 + earlier, 3, size, size)).astype(np.float32)
    everywhere = np.ones((size, size), bool)
    count = 1 + earlier
    past = PlaceSeries(
        name,
        "made",
        split,
        30.0,
        2000.0 + np.arange(-earlier, 1),
        image[None].repeat(count, axis=0),
        np.ones((count, *image.shape[1:]), bool),
    )
    case = SeriesCase(
        past=past,
        years=3.0,
        present=fields[0],
        truth=fields[1],
        seen=everywhere,
        earlier=fields[2:],
        earlier_seen=everywhere[None].repeat(earlier, axis=0),
        older=tuple(range(min(2, earlier))),
        event=rng.random((size, size)) < 0.2,
        known=everywhere,
        later_dates=3,
    )
    return replace(case, **other)


class MadeStore(SeriesStore):
    """A store in memory."""

    def __init__(self, *places: PlaceSeries) -> None:
        self.location = "made.zarr"
        self._made = {place.name: place for place in places}
        self.labels = {
            p.name: PlaceLabel(
                p.name,
                p.dataset,
                p.split,
                p.gsd_m,
                *p.valid.shape[-2:],
                tuple(dt.date(int(year), 1, 1) for year in p.years),
                dt.date(int(p.years[-1]), 1, 1),
            )
            for p in places
        }

    def place(self, name: str) -> PlaceSeries:
        return self._made[name]
