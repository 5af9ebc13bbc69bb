"""Forecasts of regions of several sizes: memory, time, and what a second worker gains (Linux).

    python -m benchmarks.cost.region [--sizes 512 1024 2048] [--dates 4] [--members 2] [--years 2]

Makes dated images of fields that change, forecasts them in processes of their own, and prints the
peak of what these processes hold beside files (`RssAnon`, of the processes together; memory maps
are the system's to keep or to drop), CPU seconds and square kilometres an hour. Then the largest
size once more, one member, with one worker on one core and with two on two: their seconds, with
and without those that loading Python's modules takes, and whether the rasters are equal byte by
byte; and what the two cores do of two such forecasts at once, each on one, which share nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from affine import Affine
from rasterio.crs import CRS

from benchmarks.cost.processes import held_kib, landcast
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog

FIRST_YEAR, FIELD_PX, GSD_M = 2012, 64, 10


def write_images(folder: Path, size: int, dates: int) -> list[Path]:
    """Fields of random colours; every year one in fifty gets another one."""
    rng = np.random.default_rng(0)
    whole = Window(0, 0, size, size)
    grid = Grid(size, size, Affine(GSD_M, 0, 500_000, 0, -GSD_M, 5_000_000), CRS.from_epsg(32632))
    count = -(-size // FIELD_PX)
    colours = rng.integers(40, 200, (3, count, count))
    paths = []
    for date in range(dates):
        new = rng.random((count, count)) < 0.02
        colours[:, new] = rng.integers(40, 200, (3, int(new.sum())))
        pixels = colours.repeat(FIELD_PX, 1).repeat(FIELD_PX, 2)[:, :size, :size]
        pixels = (pixels + rng.integers(-8, 9, pixels.shape)).astype(np.uint8)
        paths.append(folder / f"region_{FIRST_YEAR + date}.tif")
        write_cog(paths[-1], grid, [(whole, pixels, None)], count=3, dtype="uint8")
    return paths


def watched(command: list[str], cores: Sequence[int] = ()) -> tuple[float, float, float]:
    """Run a command; the peak of its memory in MiB, CPU seconds of all its processes, seconds.

    Args:
        command: Program and arguments.
        cores: That it may use; all where empty.
    """
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        process.cpu_affinity(list(cores))
        peak, seconds = 0, dict[int, float]()
        while process.poll() is None:
            held = 0
            for one in [process, *process.children(recursive=True)]:
                try:
                    held += held_kib(one.pid)
                    times = one.cpu_times()
                    seconds[one.pid] = times.user + times.system
                except (OSError, psutil.Error):
                    continue  # It has just ended.
            peak = max(peak, held)
            time.sleep(0.05)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(errors.read().decode(errors="replace"))
    return peak / 2**10, sum(seconds.values()), time.monotonic() - began


def forecast(
    paths: list[Path], out: Path, *options: object, cores: Sequence[int] = ()
) -> tuple[float, float, float]:
    return watched(landcast("forecast", *paths, "--out", out, *options), cores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--years", type=int, default=2)
    args = parser.parse_args()
    print("| pixels a side | peak, MiB | CPU seconds | km2 an hour |\n|---|---|---|---|")
    for size in args.sizes:
        with tempfile.TemporaryDirectory(prefix="landcast-region-") as name:
            folder = Path(name)
            paths = write_images(folder, size, args.dates)
            asked = ["--years", args.years, "--members", args.members, "--workers", 1]
            peak, seconds, took = forecast(paths, folder / "out", *asked)
            area = (size * GSD_M / 1000) ** 2
            print(f"| {size} | {peak:.0f} | {seconds:.0f} | {3600 * area / took:.0f} |", flush=True)
            if size == args.sizes[-1]:
                compare_workers(paths, folder)


def compare_workers(paths: list[Path], folder: Path) -> None:
    load, cores = "from app.workflows import forecast_region", psutil.Process().cpu_affinity()[:2]

    def once(out: str, workers: int, *cores: int) -> float:
        options = ["--years", 1, "--members", 1, "--workers", workers]
        return forecast(paths, folder / out, *options, cores=cores)[2]

    loading = [watched([sys.executable, "-c", load], cores[:count])[2] for count in (1, 2)]
    took = [once("workers-1", 1, cores[0]), once("workers-2", 2, *cores)]
    with ThreadPoolExecutor(2) as pool:
        apart_took = max(pool.map(lambda core: once(f"alone-{core}", 1, core), cores))
    first, second = sorted((folder / "workers-1").glob("*.tif")), folder / "workers-2"
    equal = all(path.read_bytes() == (second / path.name).read_bytes() for path in first)
    apart = (took[0] - loading[0]) / (took[1] - loading[1])
    print(
        f"One member with two workers on two cores: {took[0] / took[1]:.2f} times as fast as with "
        f"one on one ({took[0]:.0f} and {took[1]:.0f} s), {apart:.2f} times without the "
        f"{loading[0]:.1f} and {loading[1]:.1f} s that loading modules takes; rasters "
        f"{'equal' if equal else 'DIFFERENT'}. Two forecasts at once that share nothing, each with "
        f"one worker on one core, took {apart_took:.0f} s: {2 * took[0] / apart_took:.2f} times."
    )


if __name__ == "__main__":
    main()
