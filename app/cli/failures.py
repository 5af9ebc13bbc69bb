"""What a failure that is nobody's request is called, in one sentence."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from preprocessing.errors import LandcastError
from preprocessing.running.disk_space import FULL

__all__ = ["is_wrong_name", "sentence_of"]

# What GDAL and PyTorch say where a disk is full: they lose the number of the error.
_WRITING = re.compile(
    r"no space left|write error|failed writing|error writing|write operation failed"
    r"|unexpected pos|cannot write|write failed|_tiffwriteproc",
    re.IGNORECASE,
)
_NO_NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def sentence_of(error: BaseException) -> str:
    """A failure as a sentence that says what to do, as far as that is known."""
    if isinstance(error, LandcastError):
        return str(error)
    if isinstance(error, OSError) and is_wrong_name(error):
        return f"expected a name that a file can have: {error.strerror}{_of(error)}; choose another"
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL:
            return (
                f"the disk is full{_of(cause)}; free some space and go on with --resume, or write "
                "to another disk"
            )
        if isinstance(cause, OSError) and cause.errno in _DENIED:
            return f"expected to be allowed to write{_of(cause)}; change the rights or --out"
        if _WRITING.search(str(cause)):
            return (
                f"a file could not be written ({cause}); see whether the disk is full, then go on "
                "with --resume"
            )
    name = type(error).__name__
    return f"{name}: {error} (add --debug to see where it came from)"


def is_wrong_name(error: BaseException) -> bool:
    """Whether the name of a file was too long, or led to itself, wherever that came out."""
    return isinstance(error, OSError) and error.errno in _NO_NAMES


def _of(error: OSError) -> str:
    return f" at {error.filename}" if error.filename else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
