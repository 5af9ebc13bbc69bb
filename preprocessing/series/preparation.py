"""From lists of dated images to a store of series: the work of `landcast prepare --series`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from preprocessing.errors import DateError, NoValidPixelsError, RequestError
from preprocessing.preparation.image_folder import read_folder
from preprocessing.preparation.manifest import ManifestImage, read_manifest
from preprocessing.preparation.opened_images import ListedImages
from preprocessing.rasters.image_source import ImageSource, Reading, Readings
from preprocessing.running.progress import Steps, untold
from preprocessing.series.config import SeriesConfig
from preprocessing.series.registered import PlacePlan, RegisteredDate, plan_place
from preprocessing.series.report import DateReport, PlaceReport, SeriesReport
from preprocessing.series.store import PlaceLabel
from preprocessing.series.value_range import with_range
from preprocessing.series.writer import SeriesWriter

__all__ = ["list_images", "prepare_series"]


def list_images(
    inputs: Sequence[str | Path],
    readings: Readings,
    *,
    datasets: Sequence[str] | None = None,
    split: str | None = None,
) -> list[ManifestImage]:
    """List the dated images of a manifest, of a folder, or of some files of one place.

    Args:
        inputs: One manifest (CSV), one folder whose subfolders are places (see `read_folder`), or
            files or addresses of one place, which takes the name of the folder of the first.
        readings: How to understand the files.
        datasets: Only these data sets of a manifest.
        split: Only this split of a manifest.

    Raises:
        RequestError: See `read_manifest` and `read_folder`; or a file states no date, or data sets
            or a split are chosen where none are stated.
    """
    if len(inputs) == 1 and str(inputs[0]).lower().endswith(".csv"):
        return read_manifest(inputs[0], datasets=datasets, split=split)
    if datasets or split:
        raise RequestError(
            "expected no choice of data sets or split for files or a folder, "
            "only a manifest states them"
        )
    # The range of values is of no matter yet.
    reading = Reading(readings.every.bands, (0.0, 1.0), readings.every.sensor)
    if len(inputs) == 1:
        return read_folder(inputs[0], reading)
    place = Path(str(inputs[0])).absolute().parent.name
    images = []
    for path in inputs:
        date = reading.open(path).date
        if date is None:
            raise DateError(
                f"expected a date for {path}, neither its metadata nor its name says one; "
                "name it like place_2016.tif"
            )
        images.append(ManifestImage("rasters", place, date, path, None, float("nan")))
    return images


def prepare_series(
    inputs: Sequence[str | Path],
    out: str | Path,
    config: SeriesConfig | None = None,
    *,
    readings: Readings | None = None,
    datasets: Sequence[str] | None = None,
    split: str | None = None,
    average_by_dataset: Mapping[str, int] | None = None,
    clouds_kind: str | None = None,
    overwrite: bool = False,
    progress: Steps = untold,
) -> SeriesReport:
    """Register all dates of every place to one of them and store the tiles with all their dates.

    A date of which nothing can be made (damaged, no overlap, no registration, no valid pixel) is
    noted in the report and left out, as is a place with fewer than two dates left. Colours are
    stored as they came, see `PlaceSeries.in_colours_of`.

    Args:
        inputs: See `list_images`.
        out: Store to make; its report is put beside it, see `report_folder`.
        config: Settings.
        readings: How to understand the files. Where the range of values of a place is not known,
            it is measured over all dates, see `with_range`.
        datasets: Only these data sets of a manifest.
        split: Only this split of a manifest.
        average_by_dataset: Average blocks of so many pixels a side first, e.g. 2 for images with a
            dithered palette; metres per pixel grow with it.
        clouds_kind: Kind of the masks that a manifest names, see `CloudSource`; default `mask`.
        overwrite: Replace an existing series store.
        progress: Called as work is done.

    Returns:
        The report, as written beside the store.

    Raises:
        RequestError: See `list_images`; bands, ranges or data sets are not as stated, or nothing
            is left to store.
        OutputExistsError: `out` or its report exists and `overwrite` is not set.
    """
    config, readings = config or SeriesConfig(), readings or Readings()
    with SeriesWriter(out, overwrite=overwrite) as writer:
        images = list_images(inputs, readings, datasets=datasets, split=split)
        listed = ListedImages(
            readings,
            average_by_dataset or {},
            config.detect_clouds,
            clouds_kind,
            Path(out).parent,
        )
        listed.check(images, inputs[0])
        places = _places(images)
        done = 0
        for name, members in places.items():
            writer.add_report(_prepare(name, members, listed, writer, config))
            done += len(members)
            progress(done, len(images))
        return writer.finish(config)


def _places(images: Sequence[ManifestImage]) -> dict[str, list[ManifestImage]]:
    """Images by name of their place; with the data set before it where two have the same place."""
    found: dict[tuple[str, str], list[ManifestImage]] = {}
    for image in images:
        found.setdefault((image.dataset, image.place), []).append(image)
    names = [place for _, place in found]
    return {
        place if names.count(place) == 1 else f"{dataset}/{place}": members
        for (dataset, place), members in found.items()
    }


def _prepare(
    name: str,
    images: Sequence[ManifestImage],
    listed: ListedImages,
    writer: SeriesWriter,
    config: SeriesConfig,
) -> PlaceReport:
    start = time.perf_counter()
    dataset, split = images[0].dataset, images[0].split or config.split
    stated = listed.readings.of(dataset)
    try:
        reading = with_range(stated, images)
        files = listed.of_place(reading)
        plan = plan_place(images, files.image, config)
        if len(plan.dates) < 2:
            raise NoValidPixelsError(
                f"expected two dates or more of {name}, {len(plan.dates)} of {len(images)} is left"
                + (f": {plan.dropped[0][1]}" if plan.dropped else "; list more of them")
            )
    except NoValidPixelsError as err:
        lost = tuple(DateReport(image.date, "the place was dropped") for image in images)
        took = time.perf_counter() - start
        return PlaceReport(name, dataset, split, lost, str(err), seconds=took)
    gsd_m = plan.grid.gsd_m or config.gsd_m or files.gsd_m(plan.reference)
    label = PlaceLabel(
        name,
        dataset,
        split,
        gsd_m,
        plan.grid.height,
        plan.grid.width,
        tuple(date.image.date for date in plan.dates),
        plan.reference.date,
    )
    shares = writer.add_place(label, _laid(plan, files))
    dates = [_report(date, share) for date, share in zip(plan.dates, shares, strict=True)]
    dates += [DateReport(date, reason) for date, reason in plan.dropped]
    return PlaceReport(
        name,
        dataset,
        split,
        tuple(sorted(dates, key=lambda date: date.date)),
        reference=plan.reference.date,
        height=label.height,
        width=label.width,
        gsd_m=gsd_m,
        tiles=len(label.corners),
        value_range=None if reading == stated else reading.value_range,
        seconds=time.perf_counter() - start,
    )


def _laid(plan: PlacePlan, files: ListedImages) -> Iterator[ImageSource]:
    for date in plan.dates:
        yield plan.laid(date, files.image)


def _report(date: RegisteredDate, valid: float) -> DateReport:
    shift = date.shift
    return DateReport(date.image.date, "", shift.length_px, date.residual_px, shift.score, valid)
