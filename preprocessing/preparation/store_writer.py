"""Writing a pair store under a temporary name, with its report, and moving both in place."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from preprocessing.errors import NoValidPixelsError
from preprocessing.pairs.output import StoreOutput
from preprocessing.pairs.store import Pairs, PairStore
from preprocessing.report.contact_sheet import contact_sheet
from preprocessing.report.counts import PairReport, PrepareReport, json_value
from preprocessing.report.example_tiles import ExampleTiles
from preprocessing.report.page import report_page
from preprocessing.tiles.filters import Reason

__all__ = ["StoreWriter"]

_BATCH = 512


class StoreWriter(StoreOutput):
    """Collects pairs and reports; a context that leaves nothing behind unless finished.

    Args:
        out: Final name of the store.
        overwrite: Replace an existing pair store and its report.
        seed: Chooses the examples for the contact sheet.

    Raises:
        OutputExistsError: `out` or its report exists and is not to be replaced, or is something
            else than a pair store and its report.
    """

    kind = "pair store"
    report_files = frozenset(
        {"report.json", "report.txt", "report.html", "contact_sheet.png", "tiles.csv.gz"}
    )

    def __init__(self, out: str | Path, *, overwrite: bool = False, seed: int = 0) -> None:
        super().__init__(out, overwrite=overwrite)
        self._store: PairStore | None = None
        self._pending: list[Pairs] = []
        self._reports: list[PairReport] = []
        self._examples = ExampleTiles(seed)
        self._start = time.perf_counter()

    def _open(self, path: Path) -> PairStore:
        return PairStore(path)

    def add_tiles(self, pairs: Pairs) -> None:
        """Take a batch of kept tiles; memory holds at most a few hundred of them."""
        if len(pairs):
            self._pending.append(pairs)
        if sum(map(len, self._pending)) >= _BATCH:
            self._flush()

    def add_report(self, report: PairReport) -> None:
        """Take the report of the pair of rasters whose tiles have all been added."""
        for example in report.examples:
            self._examples.offer_example(example)
        self._reports.append(replace(report, examples=()))

    @property
    def splits(self) -> dict[str, int]:
        """Kept tiles by split so far."""
        total: Counter[str] = Counter()
        for report in self._reports:
            total.update(report.splits)
        return dict(total)

    @property
    def guarded(self) -> int:
        """Tiles dropped so far because they lie too near to another split."""
        return sum(report.counts.get(Reason.GUARD.value, 0) for report in self._reports)

    def refuse(self, source: str, message: str) -> None:
        """Note that nothing could be made of a pair of rasters."""
        self._reports.append(PairReport(source=source, refused=message))

    def finish(self, config: Any) -> PrepareReport:
        """Write what is pending and the report, and move both to their final names.

        Raises:
            NoValidPixelsError: No tile pair was kept.
        """
        self._flush()
        examples = tuple(self._examples)
        report = PrepareReport(
            store=self.out.name,
            pairs=tuple(self._reports),
            config={key: json_value(value) for key, value in asdict(config).items()},
            seconds=time.perf_counter() - self._start,
            examples=examples,
        )
        if self._store is None:
            raise NoValidPixelsError(_nothing_kept(report))
        self._store.note(report=report.summary())
        self._report_path.mkdir()
        (self._report_path / "report.json").write_text(report.as_json(), encoding="utf-8")
        (self._report_path / "report.txt").write_text(report.as_text(), encoding="utf-8")
        sheet = contact_sheet(examples, report.counts)
        # Photographs hardly shrink at higher levels, which take four times as long.
        sheet.save(self._report_path / "contact_sheet.png", compress_level=1)
        page = report_page(report, sheet)
        (self._report_path / "report.html").write_text(page, encoding="utf-8")
        _write_tiles(self._report_path / "tiles.csv.gz", self._reports)
        self._publish()
        return report

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._store is None:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            side_px = self._pending[0].side_px
            self._store = PairStore.create(self._store_path, side_px=side_px)
        self._store.append(Pairs.joined(self._pending))
        self._pending = []


def _write_tiles(path: Path, reports: Iterable[PairReport]) -> None:
    """A table of every tile judged; the same reports give the same bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("source", "row", "col", "reason"))
        for report in reports:
            table.writerows((report.source, *tile) for tile in report.tiles)


def _nothing_kept(report: PrepareReport) -> str:
    dropped = ", ".join(f"{n} {reason}" for reason, n in report.counts.items() if n)
    refused = "; ".join(pair.refused for pair in report.refused[:3])
    why = ": ".join(part for part in (dropped, refused) if part) or "no two dates of one place"
    return (
        f"expected tile pairs to store in {report.store}, none of {report.tiles} was kept ({why}); "
        "use other images or wider bounds"
    )
