"""Run in a mount namespace of its own: a command on a file system that is too small, then resumed.

Prints a line of JSON for each size in kB: `[size, code, what it said, code of the resumed run]`.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys

from region_cases import small_lift

import app.forecasts.members
from app.cli.entry import run


def mount(options: str, kind: str = "tmpfs") -> None:
    subprocess.run(["mount", "-t", kind, "-o", options, kind, sys.argv[1]], check=True)


def main() -> None:
    app.forecasts.members.load_guided = small_lift
    command = sys.argv[3:]
    for size in sys.argv[2].split(","):
        mount(f"size={size}k")
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = run(command)
            words = said.getvalue()
            mount("remount,size=100m")
            again = run([*command, "--resume"])
        found = subprocess.run(["ls", "-AR", sys.argv[1]], capture_output=True, text=True).stdout
        sys.stdout.write(json.dumps([size, code, words, again, ".part" in found]) + "\n")
        subprocess.run(["umount", sys.argv[1]], check=True)


main()
