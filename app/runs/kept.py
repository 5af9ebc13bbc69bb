"""The folder of runs: of one server at a time, with the runs that an earlier one left."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from app.runs.errors import RunsInUseError
from app.runs.folder import RunFolder
from app.runs.run import Run
from preprocessing.errors import OutputInUseError
from preprocessing.running.output_lock import owned_folder

__all__ = ["held_folder", "kept_runs"]

_log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{12}")


def kept_runs(root: Path) -> dict[str, Run]:
    """Runs by id, as they stood.

    Folders that are no run yet, or no longer, are removed; those that hold anything else stay.
    """
    found = {}
    for path in sorted(root.iterdir()):
        if _ID.fullmatch(path.name) is None:
            continue
        try:
            found[path.name] = RunFolder(path).read_state()
        except FileNotFoundError:  # Nobody submitted it, or it was being deleted.
            if RunFolder(path).is_own():
                shutil.rmtree(path)
            else:
                _log.warning("%s is no run, it is left as it is", path)
        except (OSError, msgspec.MsgspecError):
            _log.exception("the run in %s cannot be read", path)
    return found


@contextmanager
def held_folder(root: Path) -> Iterator[None]:
    """Have a folder of runs for this server alone.

    Raises:
        RunsInUseError: Another server has it.
        RequestError: It cannot be written.
    """
    with ExitStack() as held:
        try:
            held.enter_context(owned_folder(root))
        except OutputInUseError as err:
            raise RunsInUseError(
                f"expected a folder of runs for this server alone, another one has {root}; stop "
                "that one, or name another folder with --runs"
            ) from err
        yield
