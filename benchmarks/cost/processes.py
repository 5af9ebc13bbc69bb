"""Commands in processes of their own, and what processes hold."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["held_kib", "landcast", "run"]

_SCRIPT = "from app.cli import main; main()"


def landcast(*arguments: object) -> list[str]:
    """The command line of `landcast` with these arguments."""
    return [sys.executable, "-c", _SCRIPT, *map(str, arguments)]


def run(*arguments: object) -> tuple[float, float]:
    """Run `landcast`; the peak of its resident memory in MiB, and its seconds."""
    start = time.perf_counter()
    done = subprocess.run(landcast(*arguments), capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"landcast {arguments[0]} ended with {done.returncode}:\n{done.stderr}")
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit, seconds


def held_kib(pid: int) -> int:
    """Kilobytes that a process holds beside files (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0
