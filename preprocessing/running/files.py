"""Small files: text in one move, values that strict JSON can hold, hashes."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from preprocessing.errors import OutputExistsError
from preprocessing.running.output_lock import contents
from preprocessing.running.partial_files import partial_path

__all__ = ["refuse_occupied", "replace_folder", "sha256", "share_weights", "strict", "write_text"]


def refuse_occupied(folder: Path, instead: str) -> None:
    """Raise where a new folder is to be written and something is there already.

    Args:
        folder: May be an empty folder.
        instead: What else to do.

    Raises:
        OutputExistsError: `folder` is a file, or a folder that holds anything.
    """
    if folder.exists() and (not folder.is_dir() or contents(folder)):
        kind = "a folder that holds files" if folder.is_dir() else "a file"
        raise OutputExistsError(
            f"expected a new or empty folder, {folder} is {kind}; {instead} or name another folder"
        )


def write_text(path: Path, text: str) -> Path:
    """Write `text` to `path` in one move."""
    part = partial_path(path)
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def replace_folder(source: Path, target: Path) -> None:
    """Move a folder over another one."""
    if target.exists():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        os.replace(target, old)
        os.replace(source, target)
        shutil.rmtree(old)
    else:
        os.replace(source, target)


def share_weights(folder: Path) -> None:
    """Give safetensors of a model folder, which are written for their owner alone, usual rights."""
    for weights in folder.glob("*.safetensors"):
        shutil.copymode(folder / "config.json", weights)


def strict(value: Any) -> Any:
    """The value with every NaN and infinity as None, which JSON writes as null."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
