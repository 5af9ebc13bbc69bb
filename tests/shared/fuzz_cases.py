"""Runs commands on damaged inputs, many in one process; prints what each came to as a JSON line."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from app.cli.entry import run

SECONDS = 30
_LIMIT = 3 * 2**30  # The networks and GDAL take one of them.
_EXTREMES = tuple(
    bytes.fromhex(text) for text in ("00000000", "ffffffff", "7fffffff", "ffffff7f", "01000000")
)
_TEXTS = ("1e999", "-1", "[]", "{}", "null", '"x"', "99999999999", "\x1b[31m", "\x00", "\xff", ";")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes with a few faults: cut off, turned, overwritten, doubled, left out."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        # Half of the faults lie where formats keep their sizes and offsets.
        reach = min(len(data), 256) if rng.random() < 0.5 else len(data)
        at = int(rng.integers(0, max(reach, 1)))
        kind = int(rng.integers(0, 6))
        if kind == 0:
            del data[max(at, 1) :]
        elif kind == 1:
            data[at : at + 1] = bytes([int(rng.integers(0, 256))])
        elif kind == 2:
            data[at : at + 4] = _EXTREMES[int(rng.integers(0, len(_EXTREMES)))]
        elif kind == 3:
            data[at:at] = data[at : at + 64]
        elif kind == 4:
            del data[at : at + int(rng.integers(1, 64))]
        else:
            data[at : at + 32] = bytes(32)
    return bytes(data)


def damaged_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Text with a few words replaced, or damaged as bytes."""
    if rng.random() < 0.3:
        return damaged(content, rng)
    text = content.decode()
    marks = [n for n, letter in enumerate(text) if not letter.isspace()]
    for at in sorted(rng.choice(marks, 2), reverse=True):
        end = at + int(rng.integers(0, 6))
        text = text[:at] + _TEXTS[int(rng.integers(0, len(_TEXTS)))] + text[end:]
    return text.encode()


def damage_folder(folder: Path, rng: np.random.Generator) -> None:
    """Damage one file of a model folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = files[int(rng.integers(0, len(files)))]
    damage: Callable[[bytes, np.random.Generator], bytes]
    damage = damaged_text if path.suffix == ".json" else damaged
    path.write_bytes(damage(path.read_bytes(), rng))


def cases(sources: Path, kind: str, count: int) -> Iterator[tuple[int, list[str]]]:
    """Damage the inputs of a kind one after the other, and give the command for each."""
    work = sources / "work"
    for number in range(count):
        rng = np.random.default_rng([sum(kind.encode()), number])
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sources / "inputs", work)
        out = str(work / "out.tif")
        sr, states = str(work / "sr"), str(work / "states")
        forecast = ["--model", states, "--years", "1", "--members", "1", "--workers", "1"]
        if kind == "csv":
            listed = work / "list.csv"
            listed.write_bytes(damaged_text(listed.read_bytes(), rng))
            command = ["prepare", str(listed), "--out", str(work / "pairs.zarr")]
        elif kind == "models":
            model = work / ("states" if number % 8 == 0 else "sr")
            damage_folder(model, rng)
            if number % 8 == 0:
                command = ["forecast", str(work / "a_2016.tif"), "--out", out, *forecast]
            else:
                command = ["upscale", str(work / "a_2016.png"), "--out", out, "--model", sr]
        else:
            image = work / f"a_2016.{kind}"
            image.write_bytes(damaged(image.read_bytes(), rng))
            if number % 8 == 0:
                command = ["forecast", str(image), "--out", out, *forecast]
            elif number % 8 == 1:
                later = str(work / "b_2018.tif")
                command = ["prepare", str(image), later, "--out", str(work / "pairs.zarr")]
            else:
                command = ["upscale", str(image), "--out", out, "--model", sr]
        yield number, command


def main(sources: Path, count: int, kinds: list[str]) -> None:
    """Run all, each within its time, together within a limit of memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (_LIMIT, _LIMIT))
    for kind in kinds:
        for number, command in cases(sources, kind, count):
            said, begun = io.StringIO(), time.monotonic()
            signal.alarm(SECONDS)  # which ends the process
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                code = run(command)
            signal.alarm(0)
            lines = said.getvalue().splitlines()
            seconds = round(time.monotonic() - begun, 2)
            sys.stdout.write(json.dumps([kind, number, command[0], code, lines, seconds]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
