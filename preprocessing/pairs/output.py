"""A store and its report under temporary names, moved in place together when all is done."""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.running.files import replace_folder
from preprocessing.running.output_lock import owned_file
from preprocessing.running.partial_files import partial_path, remove_partials_of

__all__ = ["StoreOutput", "report_folder"]


def report_folder(store: str | Path) -> Path:
    """Where the report of a store lies: beside it, `pairs.zarr` has `pairs.report`.

    Other names keep their ending, so that the stores `v1.2` and `v1.3` have a report each.
    """
    store = Path(store)
    return store.with_name((store.stem if store.suffix == ".zarr" else store.name) + ".report")


class StoreOutput(ABC):
    """A context that leaves nothing behind unless published.

    Args:
        out: Final name of the store.
        overwrite: Replace an existing store of this kind and its report.

    Raises:
        OutputExistsError: `out` or its report exists and is not to be replaced, or is something
            else than such a store and its report.
        OutputInUseError: Another process is making it.
    """

    kind: ClassVar[str]
    report_files: ClassVar[frozenset[str]]

    def __init__(self, out: str | Path, *, overwrite: bool = False) -> None:
        self.out = Path(out)
        self._check_free(overwrite)
        self._overwrite = overwrite
        self._store_path = partial_path(self.out)
        self._report_path = partial_path(report_folder(self.out))
        self._owned = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(owned_file(self.out, parents=True))
            self._check_free(self._overwrite)
            for final in (self.out, report_folder(self.out)):
                remove_partials_of(final)
            self._owned = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for leftover in (self._store_path, self._report_path):
            shutil.rmtree(leftover, ignore_errors=True)
        self._owned.close()

    @abstractmethod
    def _open(self, path: Path) -> object:
        """Open a store of this kind; fails where there is something else."""

    def _publish(self) -> None:
        """Move store and report to their final names."""
        replace_folder(self._store_path, self.out)
        replace_folder(self._report_path, report_folder(self.out))

    def _check_free(self, overwrite: bool) -> None:
        report = report_folder(self.out)
        for kind, path in (("store", self.out), ("report", report)):
            if path.exists() and not overwrite:
                raise OutputExistsError(
                    f"expected no {kind} at {path}, it exists already; choose another name for the "
                    "store or overwrite both"
                )
        if self.out.exists():
            try:
                self._open(self.out)
            except RequestError as err:
                raise OutputExistsError(
                    f"expected a {self.kind} to overwrite at {self.out}, it is something else; "
                    "choose another name"
                ) from err
        if report.exists() and not self._is_report(report):
            raise OutputExistsError(
                f"expected the report of {self.out.name} to overwrite at {report}, it is something "
                "else; choose another name"
            )

    def _is_report(self, folder: Path) -> bool:
        """Whether the folder holds what was left there for this store, and no more."""
        try:
            if {path.name for path in folder.iterdir()} - self.report_files:
                return False
            stated = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(stated, dict) and stated.get("store") == self.out.name
