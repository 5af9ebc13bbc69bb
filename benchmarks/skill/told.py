"""What hindcasts told at a start, beside what the forecast from there then was worth.

    python -m benchmarks.skill.told PLACE... [--starts 2] [--hindcasts 3] [--members 2] [--years 5]

PLACE is a folder of dated images. At each start only the images up to it are given; hindcasts on
those tell a skill by horizon, as `landcast hindcast` does. Then the forecast from the start is held
to the later images. Beside it, at its horizon, what `landcast forecast` itself tells (one hindcast,
`run.json`). One row a place, start and horizon.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from app.forecasts.hindcasting import HindcastRequest, outcomes_from
from forecast.hindcast.by_horizon import HorizonSkill, skill_by_horizon
from forecast.hindcast.outcome import Outcome
from forecast.hindcast.plan import PlannedStart, plan_starts
from forecast.hindcast.text import two_digits
from forecast.region.images import DatedImages, image_paths, open_images

_LEAST_HORIZON = 3
_ALIKE = 0.35
"""Of its years that a horizon may differ from another that it is compared with."""
_AUC, _AREA = 0.05, 2.0


class Row(NamedTuple):
    """What was told of a horizon, and what came."""

    place: str
    told: HorizonSkill
    came: Outcome
    own: dict[str, float | None]


def rows_of(
    place: Path, *, starts: int, hindcasts: int, members: int, years: int, seed: int = 0
) -> list[Row]:
    images = open_images(image_paths([place]))
    request = HindcastRequest((place,), Path(), members=members, seed=seed)
    rows = []
    for planned in late_starts(images.years, starts=starts, longest=years):
        known = images.until(planned.date)
        before = []
        for past in plan_starts(known.years, starts=hindcasts, longest=years):
            before += outcomes(known, past, request)[0]
        told = {skill.horizon: skill for skill in skill_by_horizon(before)}
        after, own = outcomes(images, planned, request)
        for came in after:
            if came.horizon in told:
                alike = own and abs((own["years"] or 0.0) / came.years - 1) <= _ALIKE
                rows.append(Row(place.name, told[came.horizon], came, own if alike else {}))
                print(markdown(rows[-1]), file=sys.stderr, flush=True)
    return rows


def outcomes(
    images: DatedImages, planned: PlannedStart, request: HindcastRequest
) -> tuple[list[Outcome], dict[str, float | None]]:
    """Of one start, and what the forecast itself told of its skill."""
    with tempfile.TemporaryDirectory(prefix="landcast-") as name:
        found, _ = outcomes_from(images, planned, request, Path(name))
        own = json.loads((Path(name) / "hindcast.json").read_text(encoding="utf-8"))
    return found, own or {}


def late_starts(years: np.ndarray, *, starts: int, longest: int) -> list[PlannedStart]:
    """Starts in the later half of a series that can be held to three years and more."""
    every = plan_starts(years, starts=len(years), longest=longest)
    able = [p for p in every if p.date >= len(years) // 2 and max(p.ends) >= _LEAST_HORIZON]
    if not able:
        able = [p for p in every if max(p.ends) >= _LEAST_HORIZON][-starts:]
    chosen = np.unique(np.linspace(0, len(able) - 1, min(starts, len(able))).round().astype(int))
    return [able[number] for number in chosen]


def markdown(row: Row) -> str:
    told, came, own = row.told, row.came, row.own
    ratio = _ratio(came.expected, came.changed)
    cells = (
        row.place,
        f"{came.start[:4]} +{came.horizon}",
        str(told.starts),
        two_digits(told.auc),
        two_digits(own.get("auc")),
        two_digits(came.auc),
        two_digits(came.auc_before),
        two_digits(told.area_ratio),
        two_digits(_ratio(own.get("expected"), own.get("changed"))),
        two_digits(ratio),
        f"{came.changed:.1%}",
        two_digits(told.harm),
        two_digits((came.mse / came.mse_still) ** 0.5),
    )
    return "| " + " | ".join(cells) + " |"


def table(rows: list[Row]) -> str:
    titles = (
        "place",
        "from",
        "hindcasts",
        "AUC told",
        "by `forecast`",
        "came",
        "changed before",
        "area told",
        "by `forecast`",
        "came",
        "changed",
        "RMSE told",
        "came",
    )
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|", *map(markdown, rows)]
    return "\n".join([*lines, "", summary(rows)])


def summary(rows: list[Row]) -> str:
    aucs = [(r.told.auc, r.came.auc) for r in rows if None not in (r.told.auc, r.came.auc)]
    areas = [
        (told, came)
        for r in rows
        if (told := r.told.area_ratio) and (came := _ratio(r.came.expected, r.came.changed))
    ]
    near = sum(abs(told - came) <= _AUC for told, came in aucs)
    alike = sum(1 / _AREA <= told / came <= _AREA for told, came in areas)
    gap = np.mean([came - told for told, came in aucs])
    return (
        f"AUC within {_AUC} of what was told in {near} of {len(aucs)} (mean of what came less what "
        f"was told {gap:+.3f}); expected over true area within a factor of two of what was told in "
        f"{alike} of {len(areas)}."
    )


def _ratio(expected: float | None, changed: float | None) -> float | None:
    return expected / changed if expected and changed else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("places", metavar="PLACE", nargs="+", type=Path)
    parser.add_argument("--starts", type=int, default=2, help="starts a place")
    parser.add_argument("--hindcasts", type=int, default=3, help="starts of the hindcasts")
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--years", type=int, default=5, help="longest horizon")
    options = parser.parse_args()
    began = time.monotonic()
    rows = []
    for place in options.places:
        rows += rows_of(
            place,
            starts=options.starts,
            hindcasts=options.hindcasts,
            members=options.members,
            years=options.years,
        )
    print(table(rows))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
