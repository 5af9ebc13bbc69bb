"""A result has one writer at a time: the process that holds its lock."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, SoftFileLock, Timeout

from preprocessing.errors import OutputExistsError, OutputInUseError, RequestError

__all__ = ["check_place", "contents", "described", "owned_file", "owned_folder", "owner"]

_LOCK = ".landcast.lock"
_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
"""How the first part of a path begins that was an address, `s3://bucket/run`."""


@contextmanager
def owned_folder(folder: Path) -> Iterator[None]:
    """Hold the right to write into a folder, which is made if it is not there.

    A process that ends, however it ends, holds nothing any more: a lock file that it left counts
    for nothing. Folders that were made here go again if they are left empty.

    Raises:
        OutputInUseError: Another process holds it; the message says which, where and since when.
        OutputExistsError: `folder` is a file.
        RequestError: It cannot be written.
    """
    check_place(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"expected a folder for --out, {folder} is a file")
    with _made(folder), _locked(folder / _LOCK, folder):
        yield


@contextmanager
def owned_file(path: Path, *, parents: bool = False) -> Iterator[None]:
    """Hold the right to write a file, or a folder that is written elsewhere and moved into place.

    Args:
        path: The result.
        parents: Make the folder it lies in.

    Raises:
        OutputInUseError: Another process holds it.
        RequestError: The folder it lies in is not there or cannot be written.
    """
    check_place(path)
    if not parents and not path.parent.is_dir():
        raise RequestError(f"expected an existing folder for {path.name}, found no {path.parent}")
    with _made(path.parent), _locked(path.with_name(f".{path.name}.lock"), path):
        yield


def contents(folder: Path) -> list[Path]:
    """What lies in a folder but the lock of its owner."""
    return [path for path in folder.iterdir() if path.name != _LOCK]


def check_place(path: Path) -> None:
    """Refuse a name that no file can have, an address, and a link to itself or to nothing.

    Raises:
        RequestError: It is one.
    """
    if _ADDRESS.fullmatch(path.parts[0] if path.parts else "") and not Path(path.parts[0]).exists():
        raise RequestError(
            f"expected a place on this machine for the results, got the address {path}; choose a "
            "folder or file (only 'landcast forecast' sends its results to an object store)"
        )
    try:
        os.stat(path)
    except FileNotFoundError as err:
        if path.is_symlink():
            raise _not_writable(path, err, "it is a link to nothing") from err
    except OSError as err:
        raise _not_writable(path, err) from err


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise _not_writable(folder, err) from err
    try:
        yield
    finally:
        with suppress(OSError):
            for empty in created:
                empty.rmdir()


@contextmanager
def _locked(file: Path, result: Path) -> Iterator[None]:
    # A lock of the operating system ends with its process. Where a file system knows none,
    # filelock falls back to a file that names the process, and tells whether that one still lives.
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        _check_writable(file, result)
        raise OutputInUseError(
            f"expected {result} for this run alone, {_owner(file)} is writing it; wait until that "
            "run has ended, or choose another --out"
        ) from None
    except OSError as err:
        raise _not_writable(result, err) from err
    try:
        if not isinstance(lock, SoftFileLock):
            file.write_text(owner(), encoding="utf-8")
        yield
    finally:
        # Removed while it is held: whoever has it open finds a file without a name and tries again.
        if not isinstance(lock, SoftFileLock):
            file.unlink(missing_ok=True)
        lock.release()


def _check_writable(file: Path, result: Path) -> None:
    """Some file systems take no files and filelock takes that for a lock."""
    if not file.exists():
        try:
            file.touch()
        except OSError as err:
            raise _not_writable(result, err) from err


def owner() -> str:
    """What a lock says of this process."""
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()})


def _owner(file: Path) -> str:
    try:
        return described(file.read_text(encoding="utf-8"))
    except OSError:
        return "another process"


def described(text: str) -> str:
    """Which process wrote a lock, for messages."""
    try:
        stated: Any = json.loads(text)
        pid, host, since = int(stated["pid"]), str(stated["host"]), float(stated["since"])
    except (ValueError, KeyError, TypeError):
        return "another process"
    minutes = max(0.0, time.time() - since) / 60
    age = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
    return f"process {pid} on {host}, begun {age} ago,"


def _not_writable(path: Path, err: OSError, reason: str = "") -> RequestError:
    return RequestError(
        f"expected a place for --out that can be written, {path} cannot "
        f"({reason or err.strerror or err}); choose another"
    )
