"""Files and numbers that were sent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from fastapi import Form, UploadFile

__all__ = ["NUMBER", "Range", "numbers", "write_upload"]

NUMBER = r"-?\d+(\.\d+)?([eE][+-]?\d+)?"
Range = Annotated[
    str | None,
    Form(pattern=f"^{NUMBER},{NUMBER}$", description="Black and white, such as 0,3000."),
]


def numbers(text: str | None) -> tuple[float, ...] | None:
    """Those that commas are between."""
    return None if text is None else tuple(map(float, text.split(",")))


def write_upload(upload: UploadFile, path: Path) -> Path:
    """Write what was sent to `path`, which is returned."""
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    return path
