"""From two dated rasters, or a list of them, to a store of clean tile pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from preprocessing.errors import (
    GridMismatchError,
    NoOverlapError,
    NoValidPixelsError,
    RegistrationError,
    RequestError,
)
from preprocessing.preparation.bounds import BoundsFit
from preprocessing.preparation.image_folder import read_folder
from preprocessing.preparation.manifest import ManifestImage, pair_source, plan_pairs, read_manifest
from preprocessing.preparation.opened_images import ListedImages, without_clouds
from preprocessing.preparation.place_splits import check_share, place_splits
from preprocessing.preparation.raster_pair import (
    PairPlan,
    PrepareConfig,
    plan_pair,
)
from preprocessing.preparation.store_writer import StoreWriter
from preprocessing.preparation.tiled_copy import quick_windows
from preprocessing.rasters.image_source import FileImage, Reading, Readings, hold
from preprocessing.report.counts import PrepareReport
from preprocessing.running.progress import Steps, untold

__all__ = [
    "PrepareConfig",
    "prepare_manifest",
    "prepare_pair",
]

_REFUSALS = (GridMismatchError, NoOverlapError, NoValidPixelsError, RegistrationError)
_DatedPair = tuple[ManifestImage, ManifestImage]
_FIT_PAIRS = 32
_FIT_TILES = 4096


def prepare_pair(
    earlier_path: str | Path,
    later_path: str | Path,
    out: str | Path,
    config: PrepareConfig | None = None,
    *,
    reading: Reading | None = None,
    earlier_year: int | None = None,
    later_year: int | None = None,
    clouds: tuple[str | Path | None, str | Path | None] = (None, None),
    clouds_kind: str = "mask",
    overwrite: bool = False,
    progress: Steps = untold,
) -> PrepareReport:
    """Prepare two raster files: the work of `landcast prepare EARLIER LATER --out PAIRS.zarr`.

    Files of any size are read window by window.

    Args:
        earlier_path: Raster of the earlier date.
        later_path: Raster of the later date.
        out: Store to make; its report is put beside it, see `report_folder`.
        config: Settings.
        reading: How to understand both files.
        earlier_year: Year of the earlier file, where neither metadata nor name says it.
        later_year: Year of the later file.
        clouds: Cloud masks of the earlier and the later file.
        clouds_kind: Kind of both, see `CloudSource`.
        overwrite: Replace an existing store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: See `plan_pair` and `RasterSource.open`; or nothing is left to store.
        NoValidPixelsError: A `val_share` is asked for, and one side of it stays empty.
        OutputExistsError: `out` or its report exists and `overwrite` is not set.
    """
    config, reading = config or PrepareConfig(), reading or Reading()
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        images = []
        for path, year, mask in zip(
            (earlier_path, later_path), (earlier_year, later_year), clouds, strict=True
        ):
            file = quick_windows(FileImage.of(reading.open(path, year=year)), Path(out).parent)
            clear = without_clouds(
                file, detect=config.detect_clouds, mask=mask, mask_kind=clouds_kind
            )
            images.append(hold(clear))
        source = f"rasters/{_place(earlier_path)}/{images[0].date}/{images[1].date}"
        plan = plan_pair(images[0], images[1], config, source=source)
        if config.fit_bounds:
            config = _fitted(config, [plan], _FIT_TILES)
        report = plan.run(writer.add_tiles, bounds=config.filters)
        writer.add_report(report)
        name = f"{earlier_path} and {later_path}"
        check_share(config, writer.splits, name, guarded=writer.guarded)
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
    readings: Readings | None = None,
    average_by_dataset: Mapping[str, int] | None = None,
    clouds_kind: str | None = None,
    overwrite: bool = False,
    progress: Steps = untold,
) -> PrepareReport:
    """Prepare every pair of dates of every place of a manifest or folder into one store.

    Pairs of which nothing can be made (no overlap, no registration, no valid pixel, smaller than
    a tile) are noted in the report and left out; files that cannot be read stop the work.
    Training tiles within 128 px of ground that is held out, of the same place or of another, at
    any date, are dropped.

    Args:
        manifest: CSV file, see `read_manifest`, or a folder, see `read_folder`.
        out: Store to make; its report is put beside it, see `report_folder`.
        config: Settings. `split` overrides the manifest's column; `val_share` splits the places
            for which the manifest has none.
        datasets: Only these data sets of a manifest; default all.
        split: Only this split of a manifest.
        pairs_per_place: At most so many pairs of dates a place, chosen by the seed.
        readings: How to understand the files.
        average_by_dataset: Average blocks of so many pixels a side first, e.g. 2 for images
            with a dithered palette; metres per pixel grow with it.
        clouds_kind: Kind of the masks that a manifest names, see `CloudSource`; default `mask`.
        overwrite: Replace an existing store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: The manifest or one of its files is wrong, a `val_share` has nothing to
            split, or nothing is left to store.
        NoValidPixelsError: A `val_share` is asked for, and one side of it stays empty.
        OutputExistsError: `out` or its report exists and `overwrite` is not set.
    """
    config, readings = config or PrepareConfig(), readings or Readings()
    with StoreWriter(out, overwrite=overwrite, seed=config.seed) as writer:
        if Path(manifest).is_dir():
            if datasets or split:
                raise RequestError(
                    f"expected no choice of data sets or split for the folder {manifest}, "
                    "only a manifest states them"
                )
            images = read_folder(manifest, readings.every)
        else:
            images = read_manifest(manifest, datasets=datasets, split=split)
        files = ListedImages(
            readings,
            average_by_dataset or {},
            config.detect_clouds,
            clouds_kind,
            Path(out).parent,
        )
        files.check(images, manifest)
        planned = plan_pairs(images, pairs_per_place=pairs_per_place, seed=config.seed)
        grounds = place_splits(images, planned, config, files.open, name=str(manifest))
        if config.fit_bounds:
            chosen = _spread(planned, _FIT_PAIRS)
            plans = _plans(chosen, files, config)
            config = _fitted(config, plans, max(1, _FIT_TILES // max(len(chosen), 1)))
        for done, (first, second) in enumerate(planned, start=1):
            try:
                plan = files.plan(first, second, config)
                ground = grounds[first.dataset, first.place]
                writer.add_report(plan.run(writer.add_tiles, bounds=config.filters, ground=ground))
            except _REFUSALS as err:
                writer.refuse(pair_source(first, second), str(err))
            progress(done, len(planned))
        check_share(config, writer.splits, str(manifest), guarded=writer.guarded)
        return writer.finish(config)


def _fitted(config: PrepareConfig, plans: Iterable[PairPlan], tiles: int) -> PrepareConfig:
    """Settings with the bounds of the filters fitted to some tiles of each of some pairs."""
    fit = BoundsFit()
    for plan in plans:
        plan.measure(fit, most=tiles)
    found = fit.bounds(base=config.filters)
    return replace(
        config,
        edge_low=found.edge_low,
        edge_high=found.edge_high,
        max_changed=found.max_changed,
    )


def _plans(
    planned: Sequence[_DatedPair], files: ListedImages, config: PrepareConfig
) -> Iterator[PairPlan]:
    """The plans of those pairs of which something can be made."""
    for first, second in planned:
        try:
            plan = files.plan(first, second, config)
        except _REFUSALS:  # Told when its turn comes.
            continue
        yield plan


def _spread(planned: Sequence[_DatedPair], most: int) -> list[_DatedPair]:
    """At most `most` pairs, evenly spread over the list."""
    if len(planned) <= most:
        return list(planned)
    return [planned[round(i * (len(planned) - 1) / (most - 1))] for i in range(most)]


def _place(path: str | Path) -> str:
    """Name of the folder a file or address lies in."""
    text = str(path)
    if "://" in text:
        return text.rstrip("/").split("/")[-2]
    return Path(text).resolve().parent.name
