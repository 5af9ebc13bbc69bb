"""3D lookup tables as .cube files, which video and photo editors read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from preprocessing.errors import MissingFileError, RequestError
from preprocessing.running.files import write_text
from sr.enhance.lut3d import Lut3D

__all__ = ["read_cube", "write_cube"]

_LARGEST = 256


def write_cube(lut: Lut3D, path: str | Path, *, title: str = "landcast") -> Path:
    """Write a table as .cube (Adobe Cube LUT Specification 1.0): red changes fastest.

    Raises:
        ValueError: The title holds a quotation mark or a line break.
    """
    if '"' in title or not title.isprintable():
        raise ValueError(f"expected a title on one line without quotation marks, got {title!r}")
    rows = lut.table.transpose(2, 1, 0, 3).reshape(-1, 3)
    lines = [f'TITLE "{title}"', f"LUT_3D_SIZE {lut.size}"]
    lines += [f"{red:.7g} {green:.7g} {blue:.7g}" for red, green, blue in rows.tolist()]
    return write_text(Path(path), "\n".join(lines) + "\n")


def read_cube(path: str | Path) -> Lut3D:
    """Read a .cube file with a 3D table over 0..1.

    Raises:
        MissingFileError: No such file.
        RequestError: It is no .cube file, holds a 1D table, or one over another domain.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"expected a .cube file, found none at {path}")
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except ValueError as err:  # UnicodeDecodeError is one too
        raise RequestError(
            f"expected a 3D table as a .cube file in {path}, got: {err}; export it again"
        ) from err


def _parse(text: str) -> Lut3D:
    size, rows = 0, []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#") or words[0] == "TITLE":
            continue
        if words[0] == "LUT_3D_SIZE":
            size = int(words[1]) if len(words) == 2 else 0
            if not 2 <= size <= _LARGEST:
                raise ValueError(f"'{line}', not a size of 2 to {_LARGEST}")
        elif words[0] in ("DOMAIN_MIN", "DOMAIN_MAX"):
            wanted = 0.0 if words[0] == "DOMAIN_MIN" else 1.0
            if [float(word) for word in words[1:]] != [wanted] * 3:
                raise ValueError(f"'{line}', not a domain of 0 to 1")
        elif words[0][0].isalpha():
            raise ValueError(f"the keyword {words[0]}")
        else:
            rows.append([float(word) for word in words])
    if size == 0 or len(rows) != size**3 or any(len(row) != 3 for row in rows):
        raise ValueError(f"{len(rows)} rows for a size of {size}")
    table = np.array(rows, np.float32).reshape(size, size, size, 3)
    return Lut3D(np.ascontiguousarray(table.transpose(2, 1, 0, 3)))
