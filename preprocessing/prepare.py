"""From two dated rasters, or a list of them, to a store of clean tile pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from preprocessing.errors import (
    GridMismatchError,
    NoOverlapError,
    NoValidPixelsError,
    RegistrationError,
    RequestError,
)
from preprocessing.grid import Window
from preprocessing.io import read_raster
from preprocessing.manifest import ManifestImage, plan_pairs, read_manifest
from preprocessing.raster import Raster
from preprocessing.raster_pair import PrepareConfig, prepare_rasters
from preprocessing.report import PrepareReport
from preprocessing.splits import split_places
from preprocessing.store_writer import StoreWriter

__all__ = [
    "PrepareConfig",
    "Progress",
    "average_blocks",
    "prepare_manifest",
    "prepare_pair",
    "prepare_rasters",
]

Progress = Callable[[int, int], None]
"""Called with (pairs of rasters done, in all)."""

_REFUSALS = (GridMismatchError, NoOverlapError, NoValidPixelsError, RegistrationError)


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
        out: Store to make; its report is put beside it, see `report_folder`.
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
        NoValidPixelsError: A `val_share` is asked for, and one side of it stays empty.
        OutputExistsError: `out` or its report exists and `overwrite` is not set.
    """
    config = config or PrepareConfig()
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        earlier = read_raster(earlier_path, bands=bands, value_range=value_range, year=earlier_year)
        later = read_raster(later_path, bands=bands, value_range=value_range, year=later_year)
        place = Path(earlier_path).resolve().parent.name
        source = f"rasters/{place}/{earlier.date}/{later.date}"
        pairs, report = prepare_rasters(earlier, later, config, source=source)
        if len(pairs) and config.split is None and config.val_share > 0 and len(report.splits) < 2:
            raise NoValidPixelsError(
                f"expected tile pairs for both train and val at a val_share of "
                f"{config.val_share:g}, {earlier_path} and {later_path} leave {len(pairs)} pairs, "
                f"all {', '.join(report.splits)}; use larger images, another share or none"
            )
        writer.add(pairs, report)
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
    pairs_per_place: int | None = None,
    bands: Sequence[int] | None = None,
    value_range: tuple[float, float] | None = None,
    average_by_dataset: Mapping[str, int] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PrepareReport:
    """Prepare every pair of dates of every place of a manifest into one store.

    Pairs of which nothing can be made (no overlap, no registration, no valid pixel, smaller than
    a tile) are noted in the report and left out; files that cannot be read stop the work.

    Args:
        manifest: CSV file, see `read_manifest`.
        out: Store to make; its report is put beside it, see `report_folder`.
        config: Settings. `split` overrides the manifest's column; `val_share` splits the places
            for which the manifest has none.
        datasets: Only these data sets; default all.
        split: Only this split of the manifest.
        pairs_per_place: At most so many pairs of dates a place, chosen by the seed.
        bands: One-based indexes of red, green and blue in all files.
        value_range: Stored values that mean 0 and 1, in all files.
        average_by_dataset: Average blocks of so many pixels a side first, e.g. 2 for images
            with a dithered palette; metres per pixel grow with it.
        overwrite: Replace an existing store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: The manifest or one of its files is wrong, a `val_share` has nothing to
            split, or nothing is left to store.
        OutputExistsError: `out` or its report exists and `overwrite` is not set.
    """
    config = config or PrepareConfig()
    averages = average_by_dataset or {}
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        images = read_manifest(manifest, datasets=datasets, split=split)
        _check_averages(averages, images, manifest)
        planned = plan_pairs(images, pairs_per_place=pairs_per_place, seed=config.seed)
        splits = _manifest_splits(images, config, manifest)
        cache: dict[Path, Raster] = {}
        for done, (first, second) in enumerate(planned, start=1):
            cache = {path: cache[path] for path in (first.path, second.path) if path in cache}
            average = averages.get(first.dataset, 1)
            source = f"{first.dataset}/{first.place}/{first.date}/{second.date}"
            gsd_m = first.gsd_m * average
            chosen = replace(config, split=splits[first.dataset, first.place])
            try:
                for image in (first, second):
                    if image.path not in cache:
                        cache[image.path] = _read(image, bands, value_range, average)
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

    Raises:
        NoValidPixelsError: The raster is smaller than a block.
    """
    height, width = raster.valid.shape[0] // size, raster.valid.shape[1] // size
    if height < 1 or width < 1:
        raise NoValidPixelsError(
            f"expected at least {size} x {size} pixels to average, {raster.name} has "
            f"{raster.valid.shape[0]} x {raster.valid.shape[1]}; average fewer or use larger images"
        )
    cut = raster.crop(Window(0, 0, height * size, width * size))
    blocks = cut.data.reshape(len(cut.data), height, size, width, size)
    return replace(
        cut,
        data=blocks.mean(axis=(2, 4), dtype=np.float32),
        valid=np.asarray(cut.valid.reshape(height, size, width, size).all(axis=(1, 3))),
        grid=cut.grid.scaled(1 / size),
    )


def _check_averages(
    names: Iterable[str], images: Sequence[ManifestImage], manifest: str | Path
) -> None:
    known = sorted({image.dataset for image in images})
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise RequestError(
            f"expected data sets to average among {', '.join(known)} of {manifest}, "
            f"got {', '.join(unknown)}"
        )


def _manifest_splits(
    images: Sequence[ManifestImage], config: PrepareConfig, manifest: str | Path
) -> dict[tuple[str, str], str | None]:
    """Split by (data set, place); None where a single place is to be split by blocks."""
    places = {(image.dataset, image.place): image.split for image in images}
    if config.split is not None:
        return dict.fromkeys(places, config.split)
    unsplit = [key for key, split in places.items() if split is None]
    if config.val_share > 0 and not unsplit:
        raise RequestError(
            f"expected places without a split for a val_share of {config.val_share:g}, the column "
            f"split of {manifest} states all; leave it out there or ask for no share"
        )
    if len(unsplit) > 1 and config.val_share > 0:
        by_name = split_places(
            ["/".join(key) for key in unsplit], val_share=config.val_share, seed=config.seed
        )
        return {key: split or by_name["/".join(key)] for key, split in places.items()}
    return dict(places)


def _read(
    image: ManifestImage,
    bands: Sequence[int] | None,
    value_range: tuple[float, float] | None,
    average: int,
) -> Raster:
    raster = read_raster(image.path, bands=bands, value_range=value_range, year=image.year)
    raster = replace(raster, date=image.date)
    return average_blocks(raster, average) if average > 1 else raster
