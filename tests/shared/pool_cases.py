"""Work for pools of processes, in a module that is imported quickly."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from preprocessing.running.executor import LocalPool


def kill_worker(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def write_late(path: Path) -> None:
    path.with_suffix(".begun").touch()
    time.sleep(1.5)
    path.touch()


def pooled(path: Path) -> None:
    list(LocalPool(1).map(write_late, [path]))


def sleep_long(number: int) -> int:
    time.sleep(2)
    return number
