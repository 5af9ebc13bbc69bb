"""All years of a place: planned, fetched one after the other, listed in a manifest."""

from __future__ import annotations

import csv
import io
import logging
from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.errors import (
    FetchError,
    LandcastError,
    NoImageryError,
    OutputExistsError,
)
from preprocessing.fetch.grid import bounds_in_degrees
from preprocessing.fetch.io import stored_tags
from preprocessing.fetch.request import FetchRequest
from preprocessing.fetch.search import CatalogueSearch, need_packages
from preprocessing.fetch.selection import by_clouds, choose_scenes, newest_first
from preprocessing.fetch.year import IDENTITY_TAG, YearPlan, YearRun, fetch_windows
from preprocessing.rasters.grid import Grid
from preprocessing.running.counted import counted
from preprocessing.running.files import write_text
from preprocessing.running.output_lock import owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.running.progress import Progress, untold

__all__ = ["FetchReport", "fetch_years", "search_years"]

_LOG = logging.getLogger(__name__)


@dataclass
class FetchReport:
    """What became of every year.

    Attributes:
        folder: Where the composites are.
        manifest: List of the composites, as `landcast prepare` reads it.
        written: Years fetched now.
        kept: Years that were there from an earlier run.
        missing: Years the catalogue has no imagery of, with the reason.
        failed: Years whose imagery could not be had now, with the reason.
        skipped: Items that were left out, with the reason.
    """

    folder: Path
    manifest: Path
    written: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    missing: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """One line a year that is missing and an item that was left out, after the counts."""
        lines = [f"{counted(len(self.written), 'year')} fetched, {len(self.kept)} kept from before"]
        lines += [f"{year} is missing: {why}" for year, why in sorted(self.missing.items())]
        lines += [f"{year} failed: {why}" for year, why in sorted(self.failed.items())]
        lines += [f"item {name} left out: {why}" for name, why in sorted(self.skipped.items())]
        return "\n".join(lines)


def fetch_years(request: FetchRequest, *, progress: Progress = untold) -> FetchReport:
    """Fetch one cloud-free composite a year.

    A year that is there from an earlier run of the same request is kept. One year's failure does
    not stop the others.

    Args:
        request: What to fetch.
        progress: Called with `("searching" or "fetching", done, total)`.

    Returns:
        What became of every year; at least one is there.

    Raises:
        RequestError: The packages of the extra `fetch` are missing, or the place is too large.
        OutputExistsError: A year is there already, from another request.
        OutputInUseError: Another process is fetching into the folder.
        NoImageryError: The catalogue has no imagery for any of the years.
        FetchError: The catalogue cannot be reached, or no year could be fetched.
    """
    need_packages()
    with owned_folder(request.out):
        remove_partials_in(request.out)
        return _fetch(request, progress)


def _fetch(request: FetchRequest, progress: Progress) -> FetchReport:
    grid = request.grid
    report = FetchReport(request.out, request.out / "manifest.csv")
    report.kept = _finished(request)
    wanted = [year for year in request.years if year not in report.kept]
    plans = _plan(request, wanted, report, progress) if wanted else []
    total = len(plans) * len(fetch_windows(grid))
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress("fetching", done, total)

    for number, plan in enumerate(plans, start=1):
        run = YearRun(request, grid, plan)
        try:
            run.write(tick)
            report.written.append(plan.year)
        except NoImageryError as err:
            report.missing[plan.year] = str(err)
        except FetchError as err:
            report.failed[plan.year] = str(err)
        report.skipped |= run.unreadable
        # A year that failed did not come to its last block.
        done = number * len(fetch_windows(grid))
        _LOG.info("%d: %d items", plan.year, len(plan.scenes))
    if not report.written and not report.kept:
        raise _nothing(request, report)
    _write_manifest(request, grid)
    return report


def search_years(request: FetchRequest) -> tuple[list[YearPlan], FetchReport]:
    """Find what `fetch_years` would read, without reading or writing anything.

    Returns:
        A plan for each year that has imagery, and which years are missing or could not be searched.

    Raises:
        RequestError: As there.
        FetchError: The catalogue cannot be reached.
    """
    need_packages()
    report = FetchReport(request.out, request.out / "manifest.csv")
    return _plan(request, list(request.years), report, untold), report


def _finished(request: FetchRequest) -> list[int]:
    """Years that an earlier run of this request finished."""
    if request.overwrite:
        return []
    finished = []
    for year in request.years:
        path = request.path_of(year)
        if not path.exists():
            continue
        if stored_tags(path).get(IDENTITY_TAG) != request.identity:
            raise OutputExistsError(
                f"expected {path} to be of the same place and settings, it is of others; choose "
                "another --out, or pass --overwrite"
            )
        finished.append(year)
    return finished


def _plan(
    request: FetchRequest,
    years: list[int],
    report: FetchReport,
    progress: Progress,
) -> list[YearPlan]:
    progress("searching", 0, len(years))
    # The grid reaches beyond the box, because parallels bow in UTM.
    place = bounds_in_degrees(request.grid)
    catalogue = CatalogueSearch.open(request)
    plans = []
    median = request.profile.mask is not None
    for done, year in enumerate(years, start=1):
        first, last = request.season.window(year)
        try:
            scenes, unusable = catalogue.scenes(place, first, last)
        except FetchError as err:
            report.failed[year] = str(err)
        else:
            report.skipped |= unusable
            chosen = choose_scenes(
                scenes,
                place,
                layers=request.layers,
                order=by_clouds if median else newest_first,
            )
            if chosen:
                date = request.season.middle(year) if median else chosen[0].when.date()
                plans.append(YearPlan(year, date, tuple(chosen)))
            else:
                found = f"{len(unusable)} unusable items" if unusable else "no items"
                report.missing[year] = f"{found} from {first} to {last}"
        progress("searching", done, len(years))
    return plans


def _nothing(request: FetchRequest, report: FetchReport) -> LandcastError:
    shown = ",".join(f"{value:g}" for value in request.bbox)
    if report.failed:
        year, why = next(iter(report.failed.items()))
        return FetchError(
            f"expected imagery of {shown}, none of {len(request.years)} years could be fetched; "
            f"{year}: {why}"
        )
    first, last = request.years[0], request.years[-1]
    reason = next(iter(report.missing.values()), "")
    return NoImageryError(
        f"expected imagery of {shown} in {first} to {last} in {request.collection} at "
        f"{request.source.url}, there is none ({reason}); check --bbox (W,S,E,N), --years and "
        "--season"
    )


def _write_manifest(request: FetchRequest, grid: Grid) -> None:
    """List every year of this request that is in the folder, also those not asked for now."""
    rows = []
    for path in sorted(request.out.glob(f"{request.collection}_[0-9][0-9][0-9][0-9].tif")):
        tags = stored_tags(path)
        if tags.get(IDENTITY_TAG) != request.identity:
            continue
        rows.append(
            {
                "split": "",
                "dataset": request.collection,
                "place": request.place,
                "date": tags["ACQUISITION_DATE"],
                "path": path.name,
                "width": grid.width,
                "height": grid.height,
                "bands": 3,
                "gsd_m": request.gsd_m or request.profile.gsd_m,
                "licence": request.profile.licence,
            }
        )
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(request.out / "manifest.csv", text.getvalue())
