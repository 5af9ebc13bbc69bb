"""The run that a new server shows: a forecast of the demo world, shipped ready."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from app.runs import RunFolder, Runs

__all__ = ["ARCHIVE", "DEMO_RUN", "add_demo"]

DEMO_RUN = "0000000000de"
"""Its id, which no other run has."""
ARCHIVE = Path(__file__).with_name("demo.tar.xz")


def add_demo(runs: Runs) -> None:
    """Add the run where it is not there; it takes some tenths of a second, once."""
    if any(run.id == DEMO_RUN for run in runs.all):
        return
    with tempfile.TemporaryDirectory(prefix=".demo-", dir=runs.root) as scratch:
        with tarfile.open(ARCHIVE) as packed:
            packed.extractall(scratch, filter="data")
        folder = runs.root / DEMO_RUN
        shutil.rmtree(folder, ignore_errors=True)  # One that was not unpacked to its end.
        (Path(scratch) / DEMO_RUN).rename(folder)
    runs.adopt(RunFolder(folder))
