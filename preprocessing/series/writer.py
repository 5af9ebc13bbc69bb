"""Writing a series store under a temporary name, with its report, and moving both in place."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from preprocessing.errors import NoValidPixelsError
from preprocessing.pairs.arrays import TILE_PX
from preprocessing.pairs.output import StoreOutput
from preprocessing.radiometry.tone_curves import SHOWN_LEVELS, quantised
from preprocessing.rasters.image_source import ImageSource
from preprocessing.rasters.window import Window
from preprocessing.running.files import strict
from preprocessing.series.report import PlaceReport, SeriesReport
from preprocessing.series.store import FORMAT, PlaceLabel, SeriesStore, checksum

__all__ = ["SeriesWriter"]

_TILES_A_SHARD = 64  # One date of so many tiles is one file (3 MB) and held at once.


class SeriesWriter(StoreOutput):
    """Collects places and reports; a context that leaves nothing behind unless finished.

    Args:
        out: Final name of the store.
        overwrite: Replace an existing series store and its report.

    Raises:
        OutputExistsError: `out` or its report exists and is not to be replaced, or is something
            else than a series store and its report.
    """

    kind = "series store"
    report_files = frozenset({"report.json", "report.txt"})

    def __init__(self, out: str | Path, *, overwrite: bool = False) -> None:
        super().__init__(out, overwrite=overwrite)
        self._group: Any = None
        self._places: list[dict[str, Any]] = []
        self._reports: list[PlaceReport] = []
        self._start = time.perf_counter()

    def _open(self, path: Path) -> SeriesStore:
        return SeriesStore.open(path)

    def add_place(self, label: PlaceLabel, images: Iterable[ImageSource]) -> list[float]:
        """Write a place, one date after the other.

        Args:
            label: What is known of it.
            images: Its dates on one grid, in the order of `label.dates`.

        Returns:
            Share of valid pixels of each date.
        """
        if self._group is None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._group = zarr.open_group(self._store_path, mode="w-")
        path = f"{len(self._places):05d}"
        group = self._group.create_group(path)
        corners = label.corners
        count = (len(corners), len(label.dates))
        arrays = [
            _array(group, "images", np.uint8, (*count, 3, TILE_PX, TILE_PX)),
            _array(group, "valid", np.bool_, (*count, TILE_PX, TILE_PX)),
        ]
        sums, seen = np.zeros(count, np.uint32), np.zeros(count, np.float32)
        for date, image in enumerate(images):
            for first in range(0, len(corners), _TILES_A_SHARD):
                part = corners[first : first + _TILES_A_SHARD]
                tiles = [_tile(image, label, *corner) for corner in part]
                rows = slice(first, first + len(part))
                for array, values in zip(arrays, zip(*tiles, strict=True), strict=True):
                    array[rows, date] = np.stack(values)
                sums[rows, date] = [checksum(*tile) for tile in tiles]
                seen[rows, date] = [valid.mean() for _, valid in tiles]
        for name, values in (("checksum", sums), ("seen", seen)):
            group.create_array(name, data=values, dimension_names=("tile", "date"))
        entry = _entry(label)
        rows_cols = {"row": [row for row, _ in corners], "col": [col for _, col in corners]}
        group.attrs.update({**entry, "years": label.years.tolist(), **rows_cols})
        self._places.append({**entry, "path": path})
        shares = seen.sum(axis=0) * TILE_PX**2 / (label.height * label.width)
        return [float(share) for share in shares]

    def add_report(self, report: PlaceReport) -> None:
        """Take the report of a place."""
        self._reports.append(report)

    def finish(self, config: Any) -> SeriesReport:
        """Write the report, and move it and the store to their final names.

        Raises:
            NoValidPixelsError: No place was kept.
        """
        report = SeriesReport(
            store=self.out.name,
            places=tuple(self._reports),
            config=strict(asdict(config)),
            seconds=time.perf_counter() - self._start,
        )
        if not self._places:
            raise NoValidPixelsError(
                f"expected places to store in {self.out.name}, none of {len(report.places)} was "
                f"kept: {'; '.join(place.dropped for place in report.places[:3])}; use other images"
            )
        self._group.attrs.update(
            {"format": FORMAT, "places": self._places, "config": report.config}
        )
        self._report_path.mkdir()
        (self._report_path / "report.json").write_text(report.as_json(), encoding="utf-8")
        (self._report_path / "report.txt").write_text(report.as_text(), encoding="utf-8")
        self._publish()
        return report


def _array(group: Any, name: str, dtype: Any, shape: tuple[int, ...]) -> Any:
    """A tile of a date is a chunk, so that single pairs of dates are read quickly."""
    tail = shape[2:]
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(1, 1, *tail),
        shards=(min(shape[0], _TILES_A_SHARD), 1, *tail),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=1),
        dimension_names=("tile", "date", *(("band", "y", "x")[-len(tail) :])),
    )


def _tile(
    image: ImageSource, label: PlaceLabel, row: int, col: int
) -> tuple[np.ndarray, np.ndarray]:
    """Grey levels `(3, 128, 128)` and validity `(128, 128)`; 0 and False beyond the place."""
    raster = image.read(Window(row, col, TILE_PX, TILE_PX))
    valid = raster.valid.copy()
    valid[label.height - row :], valid[:, label.width - col :] = False, False
    levels = np.stack([quantised(plane, SHOWN_LEVELS) for plane in raster.data])
    return np.where(valid, levels, np.uint8(0)), valid


def _entry(label: PlaceLabel) -> dict[str, Any]:
    entry = {**strict(asdict(label)), "dates": [date.isoformat() for date in label.dates]}
    return {**entry, "reference": label.reference.isoformat()}
