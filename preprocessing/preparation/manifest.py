"""Lists of dated images: a CSV with one line a file, and the pairs of dates to be made of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from preprocessing.errors import MissingFileError, RequestError
from preprocessing.pairs.arrays import SPLITS
from preprocessing.preparation.tables import dates_of, read_table
from preprocessing.rasters.dates import check_observed
from preprocessing.rasters.opening import is_local
from preprocessing.rasters.outside import check_inside

__all__ = ["ManifestImage", "pair_source", "plan_pairs", "read_manifest"]

_NEEDED = ("dataset", "place", "date", "path")


@dataclass(frozen=True, slots=True)
class ManifestImage:
    """One line of a manifest.

    Attributes:
        dataset: Collection the image belongs to.
        place: Ground that images of several dates share.
        date: Acquisition date; the first of January where only the year is known.
        path: File, resolved against the manifest's folder, or a remote address.
        split: `train`, `val`, `test`, or None where the manifest does not say.
        gsd_m: Stated metres per pixel, NaN where unknown.
        mask: Cloud mask of the file; None where there is none.
    """

    dataset: str
    place: str
    date: dt.date
    path: str | Path
    split: str | None
    gsd_m: float
    mask: str | Path | None = None

    @property
    def year(self) -> int:
        """Calendar year of the date."""
        return self.date.year


def read_manifest(
    path: str | Path, *, datasets: Sequence[str] | None = None, split: str | None = None
) -> list[ManifestImage]:
    """Read a manifest with at least the columns dataset, place, date and path.

    Args:
        path: CSV file with a header, see `read_table`; `split`, `gsd_m` and `mask` are used where
            present.
        datasets: Only these; default all.
        split: Only this split.

    Raises:
        MissingFileError: No such file.
        DateError: A line's date is none, or still to come; see `dates_of`.
        OutsideError: A line names a file outside the manifest's folder.
        RequestError: A column is missing, a split unknown, a place in two of them, or no line is
            left.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"expected a manifest (CSV), found nothing at {path}")
    rows = read_table(path, _NEEDED)
    places = [f"{path} line {number}" for number, _ in rows]
    dates = dates_of([row["date"] for _, row in rows], places)
    images = [
        _image(row, path, number, date) for (number, row), date in zip(rows, dates, strict=True)
    ]
    _check_splits(images, places)
    known = sorted({image.dataset for image in images})
    unknown = sorted(set(datasets or ()) - set(known))
    if unknown:
        raise RequestError(
            f"expected data sets among {', '.join(known)} of {path}, got {', '.join(unknown)}"
        )
    chosen = [
        image
        for image in images
        if (datasets is None or image.dataset in datasets)
        and (split is None or image.split == split)
    ]
    if not chosen:
        raise RequestError(
            f"expected images in {path}, none has split {split!r} and data sets {datasets or known}"
        )
    return chosen


def plan_pairs(
    images: Sequence[ManifestImage],
    *,
    pairs_per_place: int | None = None,
    seed: int = 0,
) -> list[tuple[ManifestImage, ManifestImage]]:
    """All pairs (earlier, later) of each place, in the manifest's order of places.

    Two images of one day make no pair.

    Args:
        images: Lines of a manifest.
        pairs_per_place: At most so many a place, chosen at random but always the same for a seed.
        seed: Chooses them.
    """
    places: dict[tuple[str, str], list[ManifestImage]] = {}
    for image in images:
        places.setdefault((image.dataset, image.place), []).append(image)
    planned: list[tuple[ManifestImage, ManifestImage]] = []
    for index, members in enumerate(places.values()):
        members.sort(key=lambda image: image.date)
        pairs = [(a, b) for a, b in combinations(members, 2) if a.date < b.date]
        if pairs_per_place is not None and len(pairs) > pairs_per_place:
            rng = np.random.default_rng([seed, index])
            chosen = sorted(rng.choice(len(pairs), pairs_per_place, replace=False))
            pairs = [pairs[i] for i in chosen]
        planned.extend(pairs)
    return planned


def pair_source(first: ManifestImage, second: ManifestImage) -> str:
    """How the tiles of a pair name where they come from: `dataset/place/earlier/later`."""
    return f"{first.dataset}/{first.place}/{first.date}/{second.date}"


def _image(row: dict[str, str], manifest: Path, number: int, date: dt.date) -> ManifestImage:
    check_observed(date, f"{manifest} line {number}")
    split = (row.get("split") or "").strip() or None
    if split is not None and split not in SPLITS:
        raise RequestError(
            f"expected a split of {', '.join(SPLITS)} in {manifest} line {number}, got {split!r}"
        )
    try:
        gsd_m = float(row.get("gsd_m") or "nan")
    except ValueError as err:
        raise RequestError(
            f"expected metres in column gsd_m of {manifest} line {number}, got {row['gsd_m']!r}"
        ) from err
    mask = (row.get("mask") or "").strip()
    return ManifestImage(
        row["dataset"],
        row["place"],
        date,
        _located(row["path"], manifest),
        split,
        gsd_m,
        _located(mask, manifest) if mask else None,
    )


def _check_splits(images: Sequence[ManifestImage], lines: Sequence[str]) -> None:
    """All images of a place belong to one split: held out ground must not be trained on."""
    first: dict[tuple[str, str], tuple[str | None, str]] = {}
    for image, line in zip(images, lines, strict=True):
        split, where = first.setdefault((image.dataset, image.place), (image.split, line))
        if split != image.split:
            raise RequestError(
                f"expected one split of the place {image.place}, got {split or 'none'} in {where} "
                f"and {image.split or 'none'} in {line}; give all its images the same"
            )


def _located(text: str, manifest: Path) -> str | Path:
    """A path in the manifest's folder, or an address as it is."""
    if "://" in text and not is_local(text):
        return text
    path = manifest.parent / text if is_local(text) else Path(text)
    if "\\" in text and not path.exists():  # as Windows writes it
        path = manifest.parent / text.replace("\\", "/")
    check_inside(path, manifest)
    return path if is_local(text) else text
