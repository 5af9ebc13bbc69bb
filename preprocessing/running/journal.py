"""What a training run tells while it runs: `log.jsonl`, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from preprocessing.running.files import strict, write_text

__all__ = ["LOG", "Journal"]

LOG = "log.jsonl"
_BOARD = "tensorboard"


class Journal:
    """Entries by step, also after a break.

    Args:
        folder: Gets `log.jsonl` and, with TensorBoard installed, `tensorboard/`.
        step: Entries after this step are dropped: they will be made again.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        self._path = folder / LOG
        if self._path.is_file():
            lines = self._path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if _step(line) <= step]
            write_text(self._path, "".join(f"{line}\n" for line in kept))
        self._board = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / _BOARD), purge_step=step + 1)

    def write(self, entry: dict[str, Any]) -> None:
        """Add one entry; it has a `step`. Nested numbers become curves named by their path."""
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(strict(entry)) + "\n")
        if self._board is not None:
            for name, value in _curves(entry).items():
                self._board.add_scalar(name, value, entry["step"])
            self._board.flush()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf  # A line that a kill cut off.


def _curves(entry: dict[str, Any], prefix: str = "") -> dict[str, float]:
    curves: dict[str, float] = {}
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            curves |= _curves(value, f"{name}/")
        elif name != "step" and isinstance(value, int | float) and math.isfinite(value):
            curves[name] = float(value)
    return curves
