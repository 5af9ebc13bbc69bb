"""Files that were sent, put where they can be looked into."""

from __future__ import annotations

import shutil
from pathlib import Path

from fastapi import UploadFile

__all__ = ["write_upload"]


def write_upload(upload: UploadFile, path: Path) -> Path:
    """Write what was sent to `path`, which is returned."""
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    return path
