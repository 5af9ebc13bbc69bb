"""A finished forecast on disk: what it holds, where each picture lies, and how to show it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from forecast.hindcast.plan import LEAST_DATES
from preprocessing.errors import MissingFileError, RequestError
from preprocessing.rasters.image_source import ImageSource
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.window import Window

__all__ = [
    "CUBE",
    "KINDS",
    "ZONES",
    "ForecastFolder",
    "ResultFolderError",
    "display_image",
    "display_layer",
    "display_valid",
    "shown",
]

KINDS = ("forecast", "mean", "spread", "change_probability")
CUBE = "forecast.zarr"
"""What `write_cube` writes."""
ZONES = ("zones.csv", "zones.parquet")
"""What `write_zones` writes: without and with the polygons."""
_EMPTY_GREY = 235
_WORTH_SAYING = 0.02
_STRIP_PIXELS = 500_000


class ResultFolderError(RequestError):
    """A folder is not the result of a forecast, or part of it is missing or damaged."""


@dataclass(frozen=True)
class ForecastFolder:
    """The result of `landcast forecast`, opened by its `run.json`.

    Attributes:
        folder: Where it lies.
        region: Name of the image that was forecast.
        start_year: Year of that image.
        years: Forecast years, ascending.
        members: Size of the ensemble.
        seed: Seed of its noise.
        value_range: Stored values that mean black and white.
        model: Name of the model.
        model_sha256: Hash of its weights.
        run: Everything `run.json` says.
    """

    folder: Path
    region: str
    start_year: int
    years: tuple[int, ...]
    members: int
    seed: int
    value_range: tuple[float, float]
    model: str
    model_sha256: str
    run: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> ForecastFolder:
        """Open a result folder and check that its rasters are there.

        Raises:
            MissingFileError: No such folder.
            ResultFolderError: `run.json` is missing or damaged, or a raster is missing.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise MissingFileError(f"expected the folder of a forecast, found nothing at {folder}")
        described = folder / "run.json"
        if not described.is_file():
            raise ResultFolderError(
                f"expected the result of a forecast with a run.json, found none in {folder}; "
                "name the folder given to 'landcast forecast --out'"
            )
        try:
            run = json.loads(described.read_text(encoding="utf-8"))
            low, high = run["value_range"]
            opened = cls(
                folder=folder,
                region=Path(str(run["region"])).name,
                start_year=int(run["start_year"]),
                years=tuple(sorted(int(year) for year in run["years"])),
                members=int(run["members"]),
                seed=int(run["seed"]),
                value_range=(float(low), float(high)),
                model=Path(str(run["model"]["name"])).name,
                model_sha256=str(run["model"]["sha256"]),
                run=run,
            )
        except (ValueError, KeyError, TypeError, UnicodeDecodeError) as err:
            raise ResultFolderError(
                f"expected the run.json of a forecast, got another or damaged file in {described} "
                f"({type(err).__name__}: {err}); run the forecast again"
            ) from err
        opened._check()
        return opened

    @property
    def present(self) -> Path:
        """The image the forecast starts from."""
        return self.folder / f"present_{self.start_year}.tif"

    @property
    def saved_members(self) -> tuple[int, ...]:
        """Members whose own rasters were kept for every year (`--save-members`)."""
        return tuple(
            member
            for member in range(self.members)
            if all(self._member(member, year).is_file() for year in self.years)
        )

    @property
    def saved_observations(self) -> tuple[Path, ...]:
        """Observations that were kept (`--save-observations`), by member and year."""
        return tuple(sorted((self.folder / "observations").glob("*_*.tif")))

    @property
    def changed_area_text(self) -> str:
        """How much ground is expected to have changed, in a sentence; empty where not known."""
        found = self.run.get("changed_area", {})
        parts = [
            f"{year} {_plain(area['expected'])} ({_plain(area['5'])} to {_plain(area['95'])})"
            for year, area in found.items()
            if isinstance(area, dict)
        ]
        if not parts:
            return ""
        return f"expected to have changed, in {found['unit']} (5 to 95 %): {', '.join(parts)}"

    @property
    def hindcast_text(self) -> str:
        """How good a forecast of this place's own past was, in a sentence."""
        if "hindcast" not in self.run:
            return ""
        found = self.run["hindcast"]
        if found is None:
            why = "a forecast looks back from six dates on"
            if not self.run.get("calibrate", True):
                why = "the forecast did not learn from its past"
            if len(self.run.get("history", ())) + 1 >= LEAST_DATES:
                why += ", 'landcast hindcast' tells it"
            return (
                "nothing is known of the skill on this very place but what the model card says of "
                f"places kept apart: {why}"
            )
        first = self.start_year - found["years_ago"]
        auc = "too little changed to rank"
        if found["auc"] is not None:
            auc = (
                f"AUC {found['auc']:.2f} (where it changed before {found['auc_before']:.2f}, "
                f"texture {found['auc_texture']:.2f})"
            )
        return (
            f"on this place's past, from {first:.0f} to {first + found['years']:.0f}: {auc}; "
            f"{found['expected']:.1%} of the ground expected to change, {found['changed']:.1%} did"
        )

    @property
    def outside_text(self) -> str:
        """A warning where a part of the region is unlike what the model has seen, else empty."""
        share = self.run.get("outside_experience")
        if not share or share < _WORTH_SAYING:
            return ""
        return (
            f"outside what this model has seen: {share:.0%} of the region; "
            "the forecast stays nearer to the present there"
        )

    def path(self, kind: str, year: int, *, member: int | None = None) -> Path:
        """Path of one raster.

        Args:
            kind: One of `KINDS`; the start year has only `forecast`, which is the present image.
            year: The start year or a forecast year.
            member: A saved member instead of the representative one; `kind` is then `forecast`.

        Raises:
            ResultFolderError: The result has no such year or member.
        """
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got '{kind}'")
        if year == self.start_year and kind == "forecast":
            return self.present
        if year not in self.years:
            raise ResultFolderError(
                f"expected a year from {self.years[0]} to {self.years[-1]}, got {year} "
                f"for {kind} in {self.folder}"
            )
        if member is None:
            return self.folder / f"{kind}_{year}.tif"
        if kind != "forecast" or member not in self.saved_members:
            raise ResultFolderError(
                f"expected a saved member of the forecast in {self.folder}, got {kind} of "
                f"member {member}; run the forecast with --save-members"
            )
        return self._member(member, year)

    def layer(self, kind: str, year: int, *, max_size: int | None = None) -> NDArray[np.float32]:
        """Spread or change probability of a year, `(h, w)` float32; see `display_layer`."""
        return display_layer(self.path(kind, year), max_size)

    def _member(self, member: int, year: int) -> Path:
        return self.folder / "members" / f"{member:02d}_{year}.tif"

    def _check(self) -> None:
        if not self.years or self.years[0] <= self.start_year:
            raise ResultFolderError(
                f"expected forecast years after {self.start_year}, got {list(self.years)} "
                f"in {self.folder / 'run.json'}; run the forecast again"
            )
        wanted = [self.present, *(self.path(kind, year) for year in self.years for kind in KINDS)]
        missing = [path.name for path in wanted if not path.is_file()]
        if missing:
            raise ResultFolderError(
                f"expected {len(wanted)} rasters in {self.folder}, {len(missing)} are missing "
                f"({', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}); "
                "run the same forecast again, which makes them"
            )


def _plain(value: float) -> str:
    """Four digits that count, without powers of ten."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def display_image(
    path: str | Path,
    value_range: tuple[float, float] | None = None,
    max_size: int = 1024,
    *,
    bands: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """A raster as a picture for the screen.

    Args:
        path: Any raster with red, green and blue.
        value_range: Stored values shown black and white; what the file says where not given.
        max_size: The longer side is averaged down to at most this many pixels.
        bands: One-based red, green and blue; what the file says where not given.

    Returns:
        `(h, w, 3)` uint8 RGB; pixels without observation are light grey.

    Raises:
        RequestError: The file cannot be read as such a raster; see `RasterSource.open`.
    """
    return shown(_opened(path, bands, value_range), max_size)


def shown(image: ImageSource | RasterSource, max_size: int = 1024) -> NDArray[np.uint8]:
    """An image that is open, as `display_image` shows it."""
    data, valid = _decimated(image, max_size)
    picture = np.rint(np.clip(data, 0.0, 1.0) * 255.0).astype(np.uint8)
    picture[~valid] = _EMPTY_GREY
    return np.asarray(picture, dtype=np.uint8)


def display_layer(path: str | Path, max_size: int | None = 1024) -> NDArray[np.float32]:
    """A layer of numbers (spread, change probability) for the screen, in the file's units.

    Args:
        path: Raster of one band or of three.
        max_size: The longer side is averaged down to at most this many pixels; None leaves it.

    Returns:
        `(h, w)` float32, the mean over up to three bands; NaN where there is no value.
    """
    data, valid = _decimated(_opened(path, (), (0.0, 1.0)), max_size)
    layer = np.asarray(data.mean(axis=2), dtype=np.float32)
    layer[~valid] = np.nan
    return layer


def display_valid(path: str | Path, max_size: int = 1024) -> NDArray[np.bool_]:
    """Where a raster has values, `(h, w)` bool, at the size `display_image` shows it."""
    return _decimated(_opened(path, (), (0.0, 1.0)), max_size)[1]


def _opened(
    path: str | Path, bands: Sequence[int] | None, value_range: tuple[float, float] | None
) -> RasterSource:
    """Empty `bands` takes what there is: three bands, or the only one three times."""
    if bands is not None and not bands:
        try:
            return RasterSource.open(path, value_range=value_range, year=1)
        except RequestError:
            return RasterSource.open(path, bands=(1, 1, 1), value_range=value_range, year=1)
    return RasterSource.open(path, bands=bands, value_range=value_range, year=1)


def _decimated(
    source: ImageSource | RasterSource, max_size: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Unit values `(h, w, 3)` and validity `(h, w)`, averaged over valid pixels strip by strip."""
    side = max(source.grid.height, source.grid.width)
    limit = side if max_size is None else max_size
    total, weight = _strips(source, max(1, side // limit))
    scale = limit / max(weight.shape)
    if scale < 1:
        size = (max(1, round(weight.shape[1] * scale)), max(1, round(weight.shape[0] * scale)))
        total, weight = _shrunk(total, size), _shrunk(weight, size)
    valid = weight > 0
    data = total / np.where(valid, weight, 1.0)[..., None]
    return np.asarray(data, dtype=np.float32), valid


def _strips(
    source: ImageSource | RasterSource, factor: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means over blocks of `factor` pixels of value times validity, and of validity."""
    height, width = source.grid.height, source.grid.width
    rows, cols = math.ceil(height / factor), math.ceil(width / factor)
    total = np.zeros((rows, cols, 3), dtype=np.float32)
    weight = np.zeros((rows, cols), dtype=np.float32)
    step = max(1, _STRIP_PIXELS // (factor * factor * cols))
    for top in range(0, rows, step):
        count = min(step, rows - top)
        strip = source.read(Window(top * factor, 0, count * factor, cols * factor))
        seen = strip.valid.astype(np.float32)
        values = (strip.data * seen).transpose(1, 2, 0)
        total[top : top + count] = _shrunk(values, (cols, count))
        weight[top : top + count] = _shrunk(seen, (cols, count))
    return total, weight


def _shrunk(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Area average to `(width, height)`."""
    small = cv2.resize(np.ascontiguousarray(values), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32).reshape(size[1], size[0], *values.shape[2:])
