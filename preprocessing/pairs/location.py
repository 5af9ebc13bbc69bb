"""Where a store lies: a folder, or an object store or web server behind a URL."""

from __future__ import annotations

import importlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from preprocessing.errors import PairStoreError, RequestError

__all__ = ["is_remote", "location_of", "open_group", "reading_errors"]


def location_of(path: str | Path) -> str:
    """The text of a path or URL; `Path("https://a/b")`, which loses a slash, gets it back."""
    text = str(path)
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]+):/(?=[^/])", r"\1://", text)


def is_remote(location: str) -> bool:
    """Whether the location is a URL rather than a folder."""
    return "://" in location


def open_group(
    location: str,
    storage_options: dict[str, Any] | None,
    *,
    kind: str = "pair store",
    error: type[RequestError] = PairStoreError,
) -> tuple[Any, bool]:
    """Open a Zarr group, for writing too where that is possible.

    Args:
        location: Folder, or URL that fsspec knows: `https://`, `s3://`, `gs://`, `memory://` ...
        storage_options: Given to fsspec, for example `{"anon": True}`; for URLs only.
        kind: What to call it in messages.
        error: What to raise.

    Returns:
        The group, and whether it can only be read. Web servers can only be read; object stores
        are opened for writing, which fails at the first write if the rights are missing.

    Raises:
        RequestError: As `error`: nothing is there, it cannot be reached, or the packages to reach
            it are missing.
    """
    import zarr  # It takes long to load, and locations are asked about without it.

    remote = is_remote(location)
    if not remote and os.path.isfile(location):
        raise error(
            f"expected a {kind} at {location}, it is a file; a store is the folder that "
            "'landcast prepare' makes"
        )
    read_only = (
        location.split("://")[0].lower() in ("http", "https")
        if remote
        else not os.access(location, os.W_OK)
    )
    try:
        group: Any = zarr.open_group(
            location,
            mode="r" if read_only else "r+",
            storage_options=(storage_options or {}) if remote else None,
        )
    except ImportError as err:
        raise error(
            f"expected the packages to read {location}, {err}; "
            "install them with pip install 'landcast[remote]'"
        ) from err
    except FileNotFoundError as err:
        raise error(
            f"expected a {kind} at {location}, found none; make one with 'landcast prepare'"
        ) from err
    except reading_errors() as err:
        raise error(
            f"expected a {kind} at {location}, it cannot be read "
            f"({type(err).__name__}: {err}); check the address, the rights and the network"
        ) from err
    return group, read_only


def reading_errors() -> tuple[type[Exception], ...]:
    """What reading Zarr can raise; of optional packages only where they are installed."""
    found: list[type[Exception]] = [OSError, ValueError, RuntimeError, KeyError]
    for module, name in (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")):
        with suppress(ImportError):
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)
