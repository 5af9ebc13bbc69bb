"""The settings of a server; the command line takes them from flags and `LANDCAST_...`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.fetch import Catalogue

__all__ = ["ServerSettings", "default_runs_folder"]

_POSITIVE = ("slots", "queue", "upload_bytes", "pixels", "upscale_pixels", "work")


def default_runs_folder() -> Path:
    """`landcast/runs` in the user's folder of data."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "landcast" / "runs"


@dataclass(frozen=True)
class ServerSettings:
    """Where a server listens, and what it does for whom.

    Attributes:
        host: Address it listens on.
        port: Port it listens on.
        base_path: What its addresses begin with behind a proxy, such as `/landcast`.
        runs: Folder of runs.
        slots: Runs that are carried out at once.
        queue: Runs, and pictures to be upscaled, that may wait.
        upload_bytes: Of one request.
        pixels: Of each image, rows times columns.
        upscale_pixels: Of a picture to be upscaled, which has sixteen times as many then.
        work: Years times members times pixels of a forecast.
        token: What requests must carry; None asks for nothing.
        folders: Images in these may be named by their path.
        catalogue: STAC catalogue that the pages offer first: a name or an address.
        basemap: Address of tiles with `{z}`, `{x}` and `{y}` to lay under the maps of the pages.
    """

    host: str = "localhost"
    port: int = 8501
    base_path: str = ""
    runs: Path = field(default_factory=default_runs_folder)
    slots: int = 1
    queue: int = 8
    upload_bytes: int = 200 * 2**20
    pixels: int = 25_000_000
    upscale_pixels: int = 1_000_000
    work: int = 1_000_000_000
    token: str | None = None
    folders: tuple[Path, ...] = ()
    catalogue: str = "planetary-computer"
    basemap: str | None = None

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise RequestError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        path = self.base_path
        if path and (not path.startswith("/") or path.endswith("/")):
            raise RequestError(
                f"expected a base path such as /landcast, got {path}; begin it with a slash and "
                "end it without"
            )
        Catalogue.find(self.catalogue)
        if self.token == "":
            raise RequestError("expected a token of one character or more, got an empty one")
