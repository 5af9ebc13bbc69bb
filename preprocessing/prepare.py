"""From two dated rasters, or a list of them, to a store of clean tile pairs."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from preprocessing.alignment import align
from preprocessing.coregister import Shift, estimate_shift
from preprocessing.errors import (
    DateError,
    GridMismatchError,
    NoOverlapError,
    NoValidPixelsError,
    RegistrationError,
)
from preprocessing.filters import FilterConfig, Reason, judge
from preprocessing.grid import Window
from preprocessing.histogram import histogram_distance, match_histogram
from preprocessing.io import read_raster
from preprocessing.manifest import (
    ManifestImage,
    plan_pairs,
    read_manifest,
    years_between,
)
from preprocessing.pairs import SPLITS, TILE_PX, Pairs
from preprocessing.raster import Raster
from preprocessing.report import Example, PairReport, PrepareReport
from preprocessing.splits import split_blocks, split_places
from preprocessing.store_writer import StoreWriter
from preprocessing.tiling import plan_tiles

__all__ = ["PrepareConfig", "prepare_manifest", "prepare_pair", "prepare_rasters"]

Progress = Callable[[int, int], None]
"""Called with (pairs of rasters done, in all)."""

_LEAST_SHIFT_PX = 0.1
_EXAMPLES = 18
_REFUSALS = (GridMismatchError, NoOverlapError, NoValidPixelsError, RegistrationError)


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """Settings of the preparation.

    Attributes:
        stride: Step between tiles in pixels, 1..128; below 128 they overlap.
        min_valid: Least share of pixels observed at both dates.
        edge_low: See `FilterConfig`.
        edge_high: See `FilterConfig`.
        max_changed: Dropped from this share of changed values on.
        difference: Difference of unit values that counts as changed.
        coregister: Estimate and remove the shift between both dates.
        max_shift_px: Longest shift that is looked for.
        match: Match the histograms of the later date to the earlier one's.
        val_share: Share held out for validation: of the places, or, of a single place, a compact
            corner of tiles with a strip of 128 px between it and the rest.
        split: Put everything into this split instead.
        seed: Chooses places, corners and examples.
    """

    stride: int = TILE_PX
    min_valid: float = 0.9
    edge_low: float = 0.01
    edge_high: float = 0.27
    max_changed: float = 0.75
    difference: float = 20 / 255
    coregister: bool = True
    max_shift_px: float = 12.0
    match: bool = True
    val_share: float = 0.0
    split: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"expected a split of {', '.join(SPLITS)}, got {self.split!r}")
        if not 1 <= self.stride <= TILE_PX:
            raise ValueError(f"expected a stride of 1 to {TILE_PX}, got {self.stride}")
        if not 0 <= self.val_share < 1:
            raise ValueError(f"expected a val_share of 0 to below 1, got {self.val_share}")
        if not self.max_shift_px >= 1:
            raise ValueError(f"expected a max_shift_px of at least 1, got {self.max_shift_px}")
        _ = self.filters

    @property
    def filters(self) -> FilterConfig:
        """Bounds of the tile filters."""
        return FilterConfig(
            min_valid=self.min_valid,
            edge_low=self.edge_low,
            edge_high=self.edge_high,
            difference=self.difference,
            max_changed=self.max_changed,
        )


def prepare_rasters(
    earlier: Raster,
    later: Raster,
    config: PrepareConfig,
    *,
    source: str | None = None,
    gsd_m: float = math.nan,
) -> tuple[Pairs, PairReport]:
    """Align, co-register, match, tile and filter two dated rasters.

    Invalid pixels of one date take the other date's values: no change where nothing is known.

    Args:
        earlier: Raster with a date; its grid is kept.
        later: Raster of a later date.
        config: Settings.
        source: `dataset/place/earlier/later` to note with each tile.
        gsd_m: Metres per pixel where the raster has no CRS.

    Returns:
        The kept pairs and what became of all.

    Raises:
        DateError: A date is missing, or the second is not later.
        GridMismatchError: Only one raster has a CRS, or neither has and the sizes differ.
        NoOverlapError: They share no ground.
        NoValidPixelsError: The common ground is smaller than a tile.
        RegistrationError: They cannot be laid over each other.
    """
    start = time.perf_counter()
    years = _years(earlier, later)
    name = source or f"rasters/{earlier.name}/{earlier.date}/{later.date}"
    first, second = align(earlier, later)
    height, width = first.valid.shape
    if height < TILE_PX or width < TILE_PX:
        raise NoValidPixelsError(
            f"expected at least {TILE_PX} x {TILE_PX} pixels of common ground, {earlier.name} and "
            f"{later.name} share {height} x {width}; use larger or finer images"
        )
    shift, residual_px = Shift(0.0, 0.0, math.nan), math.nan
    if config.coregister:
        second, shift, residual_px = _coregister(earlier, later, first, second, config)
    both = first.valid & second.valid
    if not both.any():
        raise NoValidPixelsError(
            f"expected common ground, no pixel of {earlier.name} and {later.name} is valid in both"
        )
    before = histogram_distance(first.data, second.data, first_valid=both, second_valid=both)
    future = second.data
    if config.match:
        future = match_histogram(future, first.data, source_valid=both, reference_valid=both)
    after = histogram_distance(first.data, future, first_valid=both, second_valid=both)

    windows = plan_tiles(height, width, size=TILE_PX, stride=config.stride)
    past = np.where(first.valid, first.data, future)
    future = np.where(second.valid, future, first.data)
    tiles = Pairs(
        past=_cut(_bytes(past), windows),
        future=_cut(_bytes(future), windows),
        valid=_cut(both, windows),
        years=np.full(len(windows), years, np.float32),
        gsd_m=np.full(len(windows), first.grid.gsd_m or gsd_m, np.float32),
        row=np.array([w.row for w in windows], np.int32),
        col=np.array([w.col for w in windows], np.int32),
        split=np.zeros(len(windows), np.uint8),
        source=np.array([name] * len(windows)),
    )
    reasons = judge(tiles.past, tiles.future, tiles.valid, config.filters)
    splits = _splits(windows, config)
    for i, chosen in enumerate(splits):
        if chosen is None and reasons[i] is Reason.KEPT:
            reasons[i] = Reason.GUARD
        tiles.split[i] = SPLITS.index(chosen or "train")
    kept = np.array([reason is Reason.KEPT for reason in reasons])
    pairs = tiles.take(kept)
    report = PairReport(
        source=name,
        counts=dict(Counter(reason.value for reason in reasons)),
        splits=dict(Counter(SPLITS[i] for i in pairs.split)),
        years=years,
        height=height,
        width=width,
        dy_px=shift.dy_px,
        dx_px=shift.dx_px,
        score=shift.score,
        residual_px=residual_px,
        histogram_before=before,
        histogram_after=after,
        seconds=time.perf_counter() - start,
        examples=tuple(_examples(tiles, reasons)),
    )
    return pairs, report


def prepare_pair(
    earlier_path: str | Path,
    later_path: str | Path,
    out: str | Path,
    config: PrepareConfig | None = None,
    *,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    earlier_year: int | None = None,
    later_year: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Prepare two raster files: the work of `landcast prepare EARLIER LATER --out PAIRS.zarr`.

    Args:
        earlier_path: Raster of the earlier date.
        later_path: Raster of the later date.
        out: Store to make; `<stem>.report/` is put beside it.
        config: Settings.
        bands: One-based indexes of red, green and blue in both files.
        value_range: Stored values that mean 0 and 1, in both files.
        earlier_year: Year of the earlier file, where neither metadata nor name says it.
        later_year: Year of the later file.
        overwrite: Replace an existing store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: See `prepare_rasters` and `read_raster`; or nothing is left to store.
        OutputExistsError: `out` exists and `overwrite` is not set.
    """
    config = config or PrepareConfig()
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        earlier = read_raster(earlier_path, bands=bands, value_range=value_range, year=earlier_year)
        later = read_raster(later_path, bands=bands, value_range=value_range, year=later_year)
        place = Path(earlier_path).resolve().parent.name
        source = f"rasters/{place}/{earlier.date}/{later.date}"
        writer.add(*prepare_rasters(earlier, later, config, source=source))
        if progress is not None:
            progress(1, 1)
        return writer.finish(config)


def prepare_manifest(
    manifest: str | Path,
    out: str | Path,
    config: PrepareConfig | None = None,
    *,
    datasets: Sequence[str] | None = None,
    split: str | None = None,
    max_years: float = math.inf,
    min_years: float = 0.0,
    pairs_per_place: int | None = None,
    bands_by_dataset: Mapping[str, Sequence[int]] | None = None,
    average_by_dataset: Mapping[str, int] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Prepare every pair of dates of every place of a manifest into one store.

    Pairs of which nothing can be made (no overlap, no registration, smaller than a tile) are
    noted in the report and left out; files that cannot be read stop the work.

    Args:
        manifest: CSV file, see `read_manifest`.
        out: Store to make; `<stem>.report/` is put beside it.
        config: Settings. `split` overrides the manifest's column; `val_share` counts only where
            the manifest has no such column.
        datasets: Only these data sets; default all.
        split: Only this split of the manifest.
        max_years: Longest time between both dates.
        min_years: Shortest.
        pairs_per_place: At most so many pairs of dates a place, chosen by the seed.
        bands_by_dataset: One-based indexes of red, green and blue for a data set.
        average_by_dataset: Average blocks of so many pixels a side first, e.g. 2 for images
            with a dithered palette; metres per pixel grow with it.
        overwrite: Replace an existing store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: The manifest or one of its files is wrong, or nothing is left to store.
        OutputExistsError: `out` exists and `overwrite` is not set.
    """
    config = config or PrepareConfig()
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        images = read_manifest(manifest, datasets=datasets, split=split)
        planned = plan_pairs(
            images,
            max_years=max_years,
            min_years=min_years,
            pairs_per_place=pairs_per_place,
            seed=config.seed,
        )
        splits = _manifest_splits(images, config)
        cache: dict[Path, Raster] = {}
        for done, (first, second) in enumerate(planned, start=1):
            cache = {path: cache[path] for path in (first.path, second.path) if path in cache}
            for image in (first, second):
                if image.path not in cache:
                    cache[image.path] = _read(
                        image,
                        (bands_by_dataset or {}).get(image.dataset),
                        (average_by_dataset or {}).get(image.dataset, 1),
                    )
            source = f"{first.dataset}/{first.place}/{first.date}/{second.date}"
            gsd_m = first.gsd_m * (average_by_dataset or {}).get(first.dataset, 1)
            chosen = replace(config, split=splits[first.dataset, first.place])
            try:
                writer.add(
                    *prepare_rasters(
                        cache[first.path], cache[second.path], chosen, source=source, gsd_m=gsd_m
                    )
                )
            except _REFUSALS as err:
                writer.refuse(source, str(err))
            if progress is not None:
                progress(done, len(planned))
        return writer.finish(config)


def average_blocks(raster: Raster, size: int) -> Raster:
    """Average blocks of `size` x `size` pixels; rows and columns left over are cut off.

    Args:
        raster: Raster of shape `(c, h, w)`.
        size: Side of a block.

    Returns:
        `(c, h // size, w // size)`; a pixel is valid if all it is made of are.
    """
    height, width = raster.valid.shape[0] // size, raster.valid.shape[1] // size
    if height < 1 or width < 1:
        raise ValueError(f"{raster.name}: expected at least {size} pixels a side to average")
    cut = raster.crop(Window(0, 0, height * size, width * size))
    blocks = cut.data.reshape(len(cut.data), height, size, width, size)
    return replace(
        cut,
        data=blocks.mean(axis=(2, 4), dtype=np.float32),
        valid=cut.valid.reshape(height, size, width, size).all(axis=(1, 3)),
        grid=cut.grid.scaled(1 / size),
    )


def _years(earlier: Raster, later: Raster) -> float:
    for raster in (earlier, later):
        if raster.date is None:
            raise DateError(
                f"expected a date for {raster.name}, neither its metadata nor its name says one; "
                "name it like place_2016.tif or state its year"
            )
    assert earlier.date is not None and later.date is not None
    if earlier.date >= later.date:
        raise DateError(
            f"expected EARLIER before LATER, got {earlier.date} ({earlier.name}) and "
            f"{later.date} ({later.name}); swap them or state their years"
        )
    return years_between(earlier.date, later.date)


def _coregister(
    earlier: Raster, later: Raster, first: Raster, second: Raster, config: PrepareConfig
) -> tuple[Raster, Shift, float]:
    """Remove the shift of `second` and measure what is left; resampled from `later` once."""
    found = estimate_shift(first, second, max_shift_px=config.max_shift_px)
    if not found.reliable:
        return second, Shift(0.0, 0.0, found.score), math.nan
    best, best_shift, left = second, Shift(0.0, 0.0, found.score), found
    candidate = found
    for _ in range(2):
        if left.length_px <= _LEAST_SHIFT_PX:
            break
        _, moved = align(earlier, later, shift=candidate)
        try:
            rest = estimate_shift(first, moved, max_shift_px=config.max_shift_px)
        except RegistrationError:
            break
        if not rest.reliable or rest.length_px >= left.length_px:
            break
        best, best_shift, left = moved, replace(candidate, score=found.score), rest
        candidate = Shift(candidate.dy_px + rest.dy_px, candidate.dx_px + rest.dx_px)
    return best, best_shift, left.length_px


def _splits(windows: Sequence[Window], config: PrepareConfig) -> list[str | None]:
    if config.split is not None:
        return [config.split] * len(windows)
    return split_blocks(windows, val_share=config.val_share, seed=config.seed)


def _manifest_splits(
    images: Sequence[ManifestImage], config: PrepareConfig
) -> dict[tuple[str, str], str | None]:
    """Split by (data set, place); None where a single place is to be split by blocks."""
    places = {(image.dataset, image.place): image.split for image in images}
    if config.split is not None:
        return dict.fromkeys(places, config.split)
    unsplit = [key for key, split in places.items() if split is None]
    if len(unsplit) > 1 and config.val_share > 0:
        by_name = split_places(
            ["/".join(key) for key in unsplit], val_share=config.val_share, seed=config.seed
        )
        return {key: split or by_name["/".join(key)] for key, split in places.items()}
    return dict(places)


def _read(image: ManifestImage, bands: Sequence[int] | None, average: int) -> Raster:
    raster = read_raster(image.path, bands=bands, year=image.year)
    raster = replace(raster, date=image.date)
    return average_blocks(raster, average) if average > 1 else raster


def _bytes(unit: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def _cut(image: NDArray[np.uint8] | NDArray[np.bool_], windows: Sequence[Window]) -> NDArray:
    return np.stack([image[(..., *window.slices)] for window in windows])


def _examples(tiles: Pairs, reasons: Sequence[Reason]) -> Iterator[Example]:
    for reason in Reason:
        index = [i for i, found in enumerate(reasons) if found is reason]
        if len(index) > _EXAMPLES:
            index = [
                index[i] for i in np.linspace(0, len(index) - 1, _EXAMPLES).round().astype(int)
            ]
        for i in index:
            yield Example(reason, tiles.past[i], tiles.future[i], str(tiles.source[i]))
