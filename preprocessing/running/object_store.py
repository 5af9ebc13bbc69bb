"""Results on an object store: made in a folder of this machine, sent when they are complete."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from preprocessing.errors import LandcastError, OutputExistsError, OutputInUseError, RequestError
from preprocessing.running.output_lock import described, owned_file, owner

__all__ = ["sent_folder"]

_LOCK, _SENT = ".landcast.lock", ".landcast.sent"


@contextmanager
def sent_folder(address: str, *, last: str, overwrite: bool = False) -> Iterator[Path]:
    """A folder of this machine, the files of which are sent to an object store at the end.

    The folder is the same for the same address, and stays: what was interrupted can be gone on
    with there. A lock beside the results refuses two runs; that of a process of this machine that
    is no more counts for nothing.

    Args:
        address: Where the results will be, for example `s3://bucket/run`, as fsspec knows it.
        last: The file that is sent last; results without it are not complete.
        overwrite: Replace the results that are there.

    Raises:
        RequestError: The packages to reach it are missing, or it cannot be written.
        OutputExistsError: Something else is there.
        OutputInUseError: Another process is writing there.
        LandcastError: The results are made, but could not be sent.
    """
    place = _Place(address)
    folder = _work_folder(address)
    with owned_file(folder, parents=True), place.locked():
        if not overwrite:
            place.check_free(folder, last)
        yield folder
        place.send(folder, last)


def _work_folder(address: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    cache = Path(base) if base else Path.home() / ".cache"
    name = hashlib.sha256(address.encode()).hexdigest()[:12]
    return cache / "landcast" / f"{address.rstrip('/').rsplit('/', 1)[-1]}-{name}"


@dataclass(frozen=True)
class _Place:
    """Objects under an address."""

    address: str

    @cached_property
    def _store(self) -> tuple[Any, str]:
        """File system and root."""
        from fsspec.core import url_to_fs

        try:
            store, root = url_to_fs(self.address)
        except (ImportError, ValueError) as err:
            raise RequestError(
                f"expected an address that can be written, {self.address} cannot ({err}); "
                "install landcast[remote], or choose a folder"
            ) from err
        return store, root.rstrip("/")

    def check_free(self, folder: Path, last: str) -> None:
        """Refuse what is not of the run whose folder this is."""
        with self._reached():
            there = self._names() - {_LOCK}
            if not there:
                return
            here = folder / last
            unfinished = _SENT in there and last not in there
            same = last in there and here.is_file() and self._read(last) == here.read_bytes()
        if not (unfinished or same):
            raise OutputExistsError(
                f"expected an empty place for --out, {self.address} holds files; choose another, "
                "or pass --overwrite to replace a forecast"
            )

    def send(self, folder: Path, last: str) -> None:
        """Send the files of a folder that are not hidden; earlier ones of its kind are removed."""
        names = sorted(
            str(path.relative_to(folder).as_posix())
            for path in folder.rglob("*")
            if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
        )
        try:
            with self._reached():
                store, root = self._store
                there = self._names()
                if last in there and self._read(last) == (folder / last).read_bytes():
                    return
                if last in there:
                    store.rm_file(f"{root}/{last}")
                earlier = json.loads(self._read(_SENT)) if _SENT in there else []
                store.pipe_file(f"{root}/{_SENT}", json.dumps(sorted({*earlier, *names})).encode())
                some = [name for name in names if name != last]
                store.put(
                    [str(folder / name) for name in some], [f"{root}/{name}" for name in some]
                )
                for name in set(earlier) & there - set(names):
                    store.rm_file(f"{root}/{name}")
                store.put_file(str(folder / last), f"{root}/{last}")
        except RequestError as err:
            raise LandcastError(
                f"the results are in {folder}, but were not sent: {err}; the same command sends "
                "them"
            ) from err

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the place.

        Raises:
            OutputInUseError: Another process holds it.
        """
        with self._reached():
            store, root = self._store
            lock = f"{root}/{_LOCK}"
            if _LOCK in self._names() and _is_left(self._read(_LOCK)):
                store.rm_file(lock)
            try:
                if _LOCK in self._names():
                    raise FileExistsError(lock)
                store.pipe_file(lock, owner().encode(), mode="create")
            except OSError as err:
                if _LOCK not in self._names():
                    raise
                raise OutputInUseError(
                    f"expected {self.address} for this run alone, "
                    f"{described(self._read(_LOCK).decode())} is writing it; wait until that run "
                    f"has ended, or delete {_LOCK} there if it was killed"
                ) from err
        try:
            yield
        finally:
            with suppress(*_failures()):
                store.rm_file(lock)

    def _names(self) -> set[str]:
        store, root = self._store
        store.invalidate_cache()
        return {path.removeprefix(f"{root}/") for path in store.find(root)}

    def _read(self, name: str) -> bytes:
        store, root = self._store
        return bytes(store.cat_file(f"{root}/{name}"))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except _failures() as err:
            raise RequestError(
                f"expected a place that can be written at {self.address}, it cannot "
                f"({type(err).__name__}: {err}); check bucket, rights and network"
            ) from err


def _failures() -> tuple[type[Exception], ...]:
    """What the packages of object stores raise; of those that are installed.

    Stores that can only be read, such as web servers, raise `NotImplementedError` when written to.
    """
    found: list[type[Exception]] = [OSError, ValueError, NotImplementedError]
    with suppress(ImportError):
        from botocore.exceptions import BotoCoreError

        found.append(BotoCoreError)
    return tuple(found)


def _is_left(lock: bytes) -> bool:
    """Whether a lock is of a process of this machine that is no more."""
    try:
        stated = json.loads(lock)
        if stated["host"] != socket.gethostname():
            return False
        os.kill(int(stated["pid"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False
