"""The folder of one run: what was asked, what was sent, how it stands, what came of it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from app.forecasts.request import ForecastRequest
from app.runs.run import Kind, Run
from preprocessing.fetch import FetchRequest
from preprocessing.running.files import write_text

__all__ = ["RESULT", "RunFolder", "drafted"]

RESULT = Path("result")
"""Where a run writes, as seen from its folder; uploads are named from there too."""


_FILES = {Kind.forecast: "request.json", Kind.fetch: "fetch.json"}
_Asked = TypeVar("_Asked")


@dataclass(frozen=True)
class RunFolder:
    """A folder of one run.

    Paths of its request are relative to it wherever they lie in it, so that nothing in it tells
    where it lies, and it can be moved.

    Attributes:
        path: The folder, absolute.
    """

    path: Path

    @classmethod
    def new(cls, runs: Path) -> RunFolder:
        """Make a folder with a name that no run has."""
        folder = cls(runs / secrets.token_hex(6))
        folder.path.mkdir()
        folder.uploads.mkdir()
        return folder

    @property
    def uploads(self) -> Path:
        """What was sent."""
        return self.path / "uploads"

    @property
    def later(self) -> Path:
        """Images of later years, to hold the forecast against; the forecast never sees them."""
        return self.path / "later"

    @property
    def result(self) -> Path:
        """What `landcast forecast` or `landcast fetch` writes."""
        return self.path / RESULT

    @property
    def zones(self) -> Path:
        """Tables of zones that were asked for later, a folder a file of zones."""
        return self.result / "zones"

    @property
    def log(self) -> Path:
        """What the worker had to say."""
        return self.path / "log.txt"

    @property
    def state(self) -> Path:
        """How it stands; a folder without is no run yet, or no longer."""
        return self.path / "state.json"

    def is_own(self) -> bool:
        """Whether it holds nothing but what runs write."""
        own = {self.uploads, self.later, self.result, self.log, self.state}
        own |= {self.path / name for name in _FILES.values()}
        return own.issuperset(self.path.iterdir())

    @property
    def kind(self) -> Kind:
        """What is made in it."""
        return Kind.fetch if (self.path / _FILES[Kind.fetch]).exists() else Kind.forecast

    def read_request(self) -> ForecastRequest:
        """What forecast was asked for."""
        return self._read(Kind.forecast, ForecastRequest)

    def read_fetch(self) -> FetchRequest:
        """What imagery was asked for."""
        return self._read(Kind.fetch, FetchRequest)

    def write_request(self, request: ForecastRequest | FetchRequest) -> None:
        """Keep what is asked."""
        kind = Kind.fetch if isinstance(request, FetchRequest) else Kind.forecast
        write_text(
            self.path / _FILES[kind], msgspec.json.encode(request, enc_hook=str).decode("utf-8")
        )

    def _read(self, kind: Kind, asked: type[_Asked]) -> _Asked:
        return msgspec.json.decode(
            (self.path / _FILES[kind]).read_bytes(), type=asked, dec_hook=_decoded
        )

    def read_state(self) -> Run:
        """How it stood when that last changed."""
        return msgspec.json.decode(self.state.read_bytes(), type=Run)

    def write_state(self, run: Run) -> None:
        """Keep how it stands."""
        write_text(self.state, msgspec.json.encode(run).decode("utf-8"))


@contextmanager
def drafted(runs: Path) -> Iterator[RunFolder]:
    """A new folder for uploads, which goes again unless it has a state by then."""
    folder = RunFolder.new(runs)
    try:
        yield folder
    finally:
        if not folder.state.exists():
            shutil.rmtree(folder.path)


def _decoded(kind: type, value: Any) -> Any:
    return kind(value)
