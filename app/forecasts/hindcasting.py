"""`landcast hindcast`: forecasts of a place's own past, and what they were worth."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app.forecasts.outputs import Progress
from app.forecasts.request import ForecastRequest, PlaceRequest
from app.forecasts.run import forecast_members
from forecast.hindcast.by_horizon import HorizonSkill, longest_better, skill_by_horizon
from forecast.hindcast.outcome import Outcome, outcome
from forecast.hindcast.page import hindcast_page
from forecast.hindcast.plan import LEAST_DATES, PlannedStart, plan_starts
from forecast.hindcast.text import hindcast_table
from forecast.hindcast.truth import read_truth
from forecast.pretrained import DEFAULT_MODEL, weights_sha256
from forecast.region.images import DatedImages
from forecast.region.member import MemberPaths
from preprocessing.errors import DateError, NoValidPixelsError, OutputExistsError
from preprocessing.lasting_change.labelling import MOST_DATES
from preprocessing.running.files import strict, write_text
from preprocessing.running.output_lock import owned_folder

__all__ = ["HindcastRequest", "HindcastResult", "hindcast_place", "outcomes_from"]

_RECORD, _PAGE, _SCRATCH = "hindcast.json", "hindcast.html", ".hindcast"


@dataclass(frozen=True)
class HindcastRequest(PlaceRequest):
    """Hindcasts that are asked for.

    Forecasts learn from what was the past at their start; `out` is the folder of `hindcast.json`
    and `hindcast.html`.

    Attributes:
        years: Longest horizon.
        starts: Dates to start from, at most.
        members: Size of each ensemble.
    """

    years: int = 10
    starts: int = 5
    members: int = 4

    def __post_init__(self) -> None:
        self._check_between(years=(1, 100), starts=(1, 100), members=(2, 1000))
        self.forecast(self.years)  # Refuses the rest.

    def forecast(self, years: int) -> ForecastRequest:
        """What is asked of each forecast."""
        return ForecastRequest(
            images=self.images,
            out=self.out,
            years=years,
            members=self.members,
            seed=self.seed,
            model=self.model,
            save_observations=True,
            calibrate=self.calibrate,
            workers=self.workers,
        )


@dataclass(frozen=True)
class HindcastResult:
    """What hindcasts told.

    Attributes:
        region: Name of the image of the last date.
        skills: By horizon.
        page: The report.
    """

    region: str
    skills: tuple[HorizonSkill, ...]
    page: Path

    @property
    def text(self) -> str:
        """Skill by horizon as a table, and how far ahead it reaches."""
        return hindcast_table(self.skills)


def hindcast_place(request: HindcastRequest, *, progress: Progress | None = None) -> HindcastResult:
    """Forecast a place from dates of its past, hold that to what came, and write a report.

    Args:
        request: What is asked for.
        progress: Called with `("hindcasting", done, total)`.

    Raises:
        RequestError: The request is wrong, or the dates are too few; nothing was written.
    """
    began = time.monotonic()
    images = request.dated_images()
    with owned_folder(request.out):
        return _hindcast(images, request, began, progress)


def _hindcast(
    images: DatedImages, request: HindcastRequest, began: float, progress: Progress | None
) -> HindcastResult:
    """Hindcast into a folder that this process owns."""
    _check_output(request)
    plan = plan_starts(images.years, starts=request.starts, longest=request.years)
    if not plan:
        raise DateError(_too_few(images))
    outcomes: list[Outcome] = []
    left_out: list[str] = []
    for number, planned in enumerate(plan):

        def tick(stage: str, done: int, total: int, number: int = number) -> None:
            if progress is not None:
                progress("hindcasting", 100 * number + 100 * done // total, 100 * len(plan))

        with _scratch(request.out) as scratch:
            found, lost = outcomes_from(images, planned, request, scratch, tick)
        outcomes += found
        left_out += lost
    if not outcomes:
        raise NoValidPixelsError(
            f"expected ground that several dates show, no cell of {images.start.path} is seen "
            "before and after any start; check nodata and clouds"
        )
    skills = skill_by_horizon(outcomes)
    record = _record(request, images, outcomes, skills, sorted(set(left_out)))
    record["seconds"] = round(time.monotonic() - began, 1)
    page = hindcast_page(Path(images.start.path).name, outcomes, skills, settings=record)
    write_text(request.out / _PAGE, page)
    write_text(request.out / _RECORD, json.dumps(strict(record), indent=1, allow_nan=False))
    return HindcastResult(Path(images.start.path).name, tuple(skills), request.out / _PAGE)


def outcomes_from(
    images: DatedImages,
    planned: PlannedStart,
    request: HindcastRequest,
    scratch: Path,
    progress: Progress | None = None,
) -> tuple[list[Outcome], tuple[str, ...]]:
    """Forecast from one date as `landcast forecast` would have then, and look at what came.

    Args:
        images: All of the place; the forecast is given those up to the start and no others.
        planned: Start and later dates.
        request: How to forecast.
        scratch: Empty folder.
        progress: Called with `("forecasting", done, total)`.

    Returns:
        One a later date that tells anything, and a sentence for each image that was not used.
    """
    known = images.until(planned.date)
    years = images.years - images.years[planned.date]
    ahead = {h: max(1, round(years[end])) for h, end in planned.ends.items()}
    forecast = request.forecast(max(ahead.values()))
    try:
        ground, _ = forecast_members(forecast, known, scratch, progress)
    except NoValidPixelsError as err:
        return [], (str(err),)
    needed = max(planned.ends.values()) - planned.date + MOST_DATES
    later = images.after(planned.date)[:needed]
    past, start, left_out = read_truth(ground, known.start, later, scratch)
    members = [MemberPaths(scratch, member) for member in range(request.members)]
    found = []
    for horizon, end in planned.ends.items():
        at = [i for i in range(start + 1, len(past)) if abs(past.years[i] - years[end]) < _SAME]
        if at:
            year = known.start_year + ahead[horizon]
            found.append(
                outcome(
                    past,
                    start,
                    at[0],
                    ground,
                    members,
                    year,
                    date=str(known.start.date),
                    horizon=horizon,
                )
            )
    return [one for one in found if one is not None], (*ground.left_out, *left_out)


_SAME = 1e-3
"""Years within which dates are the same; they are kept as float32."""


def _check_output(request: HindcastRequest) -> None:
    out = request.out
    if (out / _RECORD).exists() and not request.overwrite:
        raise OutputExistsError(
            f"expected a folder without hindcasts for --out, {out} holds {_RECORD}; choose "
            "another, or pass --overwrite"
        )


def _too_few(images: DatedImages) -> str:
    count = len(images.years)
    if count < LEAST_DATES:
        return (
            f"expected {LEAST_DATES} dated images or more of one place, got {count}: one before a "
            "start, the start, and two that tell what lasted; name more of its dates"
        )
    return (
        "expected dates about a year or more apart, two of them after a start, got "
        f"{count} within {-images.years[0]:.1f} years; name more of the place's dates"
    )


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """An empty folder on the disk of the results, gone afterwards."""
    scratch = out / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def _record(
    request: HindcastRequest,
    images: DatedImages,
    outcomes: list[Outcome],
    skills: list[HorizonSkill],
    left_out: list[str],
) -> dict[str, Any]:
    dated = [*(image.source for image in images.earlier), images.start]
    return {
        "region": images.start.path,
        "dates": [str(image.date) for image in dated],
        "longest_better_years": longest_better(skills),
        "horizons": [skill.rounded() for skill in skills],
        "hindcasts": [found.rounded() for found in outcomes],
        "left_out": left_out,
        "model": {
            "name": str(request.model or DEFAULT_MODEL),
            "sha256": weights_sha256(request.model),
        },
        "members": request.members,
        "seed": request.seed,
        "calibrate": request.calibrate,
        "landcast": version("landcast"),
    }
