"""Which raster a layer of the map is, and in what colours it is drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.forecasts.results import ForecastFolder
from app.forecasts.styles import colour_table, top_value
from app.runs import RunFolder, RunNotFoundError
from preprocessing.errors import RequestError
from preprocessing.rasters.io import RasterSource

__all__ = ["LAYER", "Layer", "find_layer"]

LAYER = r"^(observed|forecast|mean|spread|change_probability|member-\d{2,4})$"
_NUMBERS = ("spread", "change_probability")


@dataclass(frozen=True)
class Layer:
    """A raster and how to draw it.

    Attributes:
        path: The raster.
        bands: One-based indexes of red, green and blue, or of the one band of numbers.
        low: Stored value at the dark end.
        high: Stored value at the bright end.
        nodata: Stored value of what was not observed.
        table: Colours `(256, 4)` of numbers; None for an image.
    """

    path: Path
    bands: tuple[int, ...]
    low: float
    high: float
    nodata: float | None
    table: NDArray[np.uint8] | None = None

    def drawn(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Stored values `(c, h, w)` as a picture `(h, w, 4)`, transparent where not valid."""
        share = np.clip((np.nan_to_num(values) - self.low) / (self.high - self.low), 0, 1)
        levels = np.rint(255 * share).astype(np.uint8)
        if self.table is None:
            alpha = np.full((1, *valid.shape), 255, np.uint8)
            picture = np.concatenate([levels, alpha]).transpose(1, 2, 0)
        else:
            picture = self.table[levels[0]]
        picture[~valid] = 0
        return np.ascontiguousarray(picture)


def find_layer(folder: RunFolder, name: str, year: int) -> Layer:
    """A layer of a run that is done.

    Args:
        folder: Of the run.
        name: Matches `LAYER`.
        year: An observed year, or a forecast one.

    Raises:
        RunNotFoundError: The run has no such layer in that year.
    """
    result = ForecastFolder.open(folder.result)
    try:
        if name == "observed":
            return _image(_observed(folder, result, year))
        if year not in result.years:
            raise RunNotFoundError(f"expected a forecast year, {year} is none of this run")
        if name in _NUMBERS:
            modified = (result.folder / "run.json").stat().st_mtime_ns
            top = _top(result.folder, modified, name)
            return Layer(result.path(name, year), (1,), 0.0, top, None, colour_table(name))
        member = re.fullmatch(r"member-(\d+)", name)
        path = (
            result.path(name, year)
            if member is None
            else result.path("forecast", year, member=int(member[1]))
        )
        return _image(RasterSource.open(path, value_range=result.value_range))
    except RequestError as err:
        raise RunNotFoundError(f"expected a layer of this run: {err}") from err


def _observed(folder: RunFolder, result: ForecastFolder, year: int) -> RasterSource:
    """The image of an observed year: the start as it was taken, its history, what came later."""
    if year == result.start_year:
        return RasterSource.open(result.present, value_range=result.value_range)
    dated = {int(date[:4]): folder.path / path for path, date, *_ in result.run.get("history", [])}
    if year > result.start_year and folder.later.is_dir():
        dated |= _later(folder)
    if year not in dated:
        raise RunNotFoundError(f"expected an observed year, {year} is none of this run")
    asked = folder.read_request()
    return RasterSource.open(
        dated[year],
        bands=asked.bands,
        value_range=asked.value_range,
        sensor=asked.sensor,
    )


def _later(folder: RunFolder) -> dict[int, Path]:
    """Images of years after the start, which the forecast did not see."""
    asked = folder.read_request()
    found = {}
    for path in sorted(folder.later.iterdir()):
        source = RasterSource.open(path, bands=asked.bands, value_range=asked.value_range)
        if source.date is not None:
            found[source.date.year] = path
    return found


def _image(source: RasterSource) -> Layer:
    seen = source.encoding
    return Layer(Path(source.path), source.bands, seen.low, seen.high, seen.nodata)


@lru_cache(maxsize=256)
def _top(result: Path, _modified: int, kind: str) -> float:
    return top_value(ForecastFolder.open(result), kind)
