"""What a run has made, file by file or all of it."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, StreamingResponse

from app.api.dependencies import FinishedRun
from app.api.problems import problems
from app.forecasts.change_classes import write_change_classes
from app.forecasts.results import ForecastFolder
from app.runs import Kind, RunFolder, RunNotFoundError

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/runs/{run}")

_CHUNK = 2**20
_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".qml": "application/xml",
    ".parquet": "application/vnd.apache.parquet",
}
_ANY = {"schema": {"type": "string", "format": "binary"}}


@router.get("/files", responses=problems(404, 409))
def all_files(folder: FinishedRun) -> list[str]:
    """Names of the files that a run has made."""
    return [path.relative_to(folder.result).as_posix() for path in _files(folder.result)]


@router.get(
    "/files/{path:path}",
    response_class=FileResponse,
    responses={
        200: {"description": "The file; ranges are understood.", "content": {"*/*": _ANY}},
        **problems(404, 409),
    },
)
def one_file(path: str, folder: FinishedRun) -> FileResponse:
    """One of the files that a run has made."""
    found = next((file for file in _files(folder.result) if file == folder.result / path), None)
    if found is None:
        raise RunNotFoundError("expected one of the files of this run, it has none of this name")
    return FileResponse(found, media_type=_TYPES.get(found.suffix))


@router.get(
    "/archive.zip",
    response_class=StreamingResponse,
    responses={
        200: {"description": "All files, in a ZIP.", "content": {"application/zip": _ANY}},
        **problems(404, 409),
    },
)
def archive(folder: FinishedRun) -> StreamingResponse:
    """All files that a run has made, in a ZIP that is written while it is sent.

    That of a forecast has the chance of lasting change in classes too, with a colour table.
    """
    name = f"landcast-{folder.path.name}"
    return StreamingResponse(
        _zipped(folder, name),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )


def _files(result: Path) -> list[Path]:
    """Files of a result, without what is hidden."""
    return sorted(
        path
        for path in result.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(result).parts)
    )


class _Sink:
    """Takes what is written, until that is taken away; zipfile asks for no more."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _zipped(folder: RunFolder, name: str) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as packed:  # type: ignore[call-overload]
        for path in _files(folder.result):
            yield from _packed(path, f"{name}/{path.relative_to(folder.result)}", packed, sink)
        for path in _made_for_the_archive(folder):
            yield from _packed(path, f"{name}/{path.name}", packed, sink)
    yield sink.take()


def _packed(path: Path, name: str, packed: zipfile.ZipFile, sink: _Sink) -> Iterator[bytes]:
    entry = zipfile.ZipInfo.from_file(path, name)
    with path.open("rb") as file, packed.open(entry, "w", force_zip64=True) as out:
        for chunk in iter(partial(file.read, _CHUNK), b""):
            out.write(chunk)
            yield sink.take()


def _made_for_the_archive(folder: RunFolder) -> Iterator[Path]:
    """Files that are made when they are asked for, one at a time."""
    if folder.kind is not Kind.forecast:
        return
    result = ForecastFolder.open(folder.result)
    for year in result.years:
        with tempfile.TemporaryDirectory(prefix="landcast-archive-") as scratch:
            yield write_change_classes(result, year, Path(scratch) / f"change_class_{year}.tif")
