"""A result in the making: a hidden folder beside it, which a later run may continue."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.running.files import write_text
from preprocessing.running.partial_files import remove_partials_in, remove_partials_of

__all__ = ["check_free", "resumable_output"]

_log = logging.getLogger(__name__)


def check_free(out: Path, *, resume: bool, overwrite: bool) -> bool:
    """Whether `out` is still to be made.

    Returns:
        False if it is there and `resume` was asked for: it is only there when complete. With an
        interrupted run beside it, which was to replace it, it is still to be made.

    Raises:
        OutputExistsError: It is there, or an interrupted run of it, and nothing says what to do.
        RequestError: There is no folder to write to.
    """
    if not out.parent.is_dir():
        raise RequestError(f"expected an existing folder for {out.name}, found no {out.parent}")
    if out.is_dir():
        raise OutputExistsError(f"expected the name of a file to write, {out} is a folder")
    begun = _folder(out).exists()
    if out.exists() and not overwrite and not (resume and begun):
        if resume:
            _log.info("%s is already there", out)
            return False
        raise OutputExistsError(
            f"expected a new name for --out, {out} exists; choose another, or pass --overwrite"
        )
    if begun and not (resume or overwrite):
        raise OutputExistsError(
            f"an earlier run for {out} was interrupted; pass --resume to continue it or "
            "--overwrite to start again"
        )
    return True


@contextmanager
def resumable_output(out: Path, identity: dict[str, Any], *, resume: bool) -> Iterator[Path]:
    """A folder for the parts of `out`; it goes when all is done, and stays after a failure.

    A wrong request leaves nothing: there would be nothing to continue. The caller owns `out`.

    Args:
        out: The result.
        identity: What decides it, in values of JSON; another identity is not continued.
        resume: Continue with the parts of an earlier run, if there are any.

    Raises:
        RequestError: The earlier run was asked for with other arguments.
    """
    folder = _folder(out)
    request = folder / "request.json"
    identity = json.loads(json.dumps(identity))
    if resume and request.exists():
        if json.loads(request.read_text(encoding="utf-8")) != identity:
            raise RequestError(
                f"the interrupted run for {out} was asked for with other arguments, or a file that "
                "it reads has changed since; repeat them, or start again with --overwrite"
            )
    elif folder.exists():
        shutil.rmtree(folder)
    remove_partials_of(out)
    folder.mkdir(exist_ok=True)
    remove_partials_in(folder)
    write_text(request, json.dumps(identity))
    try:
        yield folder
    except RequestError:
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")
