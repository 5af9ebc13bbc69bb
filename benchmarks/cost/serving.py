"""Many clients at once on tiles and on /upscale of a real server (Linux).

    python -m benchmarks.cost.serving [--seconds 60] [--tile-clients 50] [--upscale-clients 10]

Starts `landcast serve`, has one forecast made, and then asks from as many threads as clients for
tiles of all its layers, zoom levels and years, and for small pictures to be upscaled. Prints
answers by status, requests a second, the median and the 95 % quantile of seconds to an answer, and
the peak of what the server and its workers hold together beside files (`RssAnon`). Only 429 (the
queue is full) is no error.
"""

from __future__ import annotations

import argparse
import io
import random
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import morecantile
import numpy as np
import psutil
from affine import Affine
from PIL import Image
from rasterio.crs import CRS

from benchmarks.cost.processes import held_kib, landcast
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import write_cog

SIDE, UPSCALED = 768, 64
LAYERS = ("forecast", "mean", "spread", "change_probability")
GRID = morecantile.tms.get("WebMercatorQuad")


def picture(side: int) -> np.ndarray:
    """Fields of random colours, `(3, side, side)` uint8."""
    fields = np.random.default_rng(0).integers(40, 200, (3, side // 32, side // 32), dtype=np.uint8)
    return fields.repeat(32, axis=1).repeat(32, axis=2)


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """`landcast serve`, and its address."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(landcast("serve", "--port", port, "--runs", folder / "runs"))
    address = f"http://localhost:{port}"
    while True:
        try:
            httpx.get(f"{address}/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return server, address


def forecast(address: str, folder: Path) -> str:
    """Have a forecast made; returns the id of its run."""
    ground = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    grid, whole = Grid(SIDE, SIDE, ground, CRS.from_epsg(32632)), Window(0, 0, SIDE, SIDE)
    image = write_cog(
        folder / "fields_2020.tif", grid, [(whole, picture(SIDE), None)], count=3, dtype="uint8"
    )
    files = {"images": (image.name, image.read_bytes())}
    asked = {"years": 2, "members": 2}
    answer = httpx.post(f"{address}/api/v1/forecast", files=files, data=asked).raise_for_status()
    run = str(answer.json()["id"])
    while (state := httpx.get(f"{address}/api/v1/runs/{run}").json()["state"]) != "done":
        if state == "failed":
            raise RuntimeError("the forecast failed")
        time.sleep(0.5)
    return run


@dataclass
class Answers:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str, during: float) -> str:
        """A row of the table."""
        counts = ", ".join(f"{count} of {status}" for status, count in self.statuses.items())
        median, late = np.quantile(self.seconds or [np.nan], (0.5, 0.95))
        pace = self.statuses["200"] / during
        return f"| {name} | {counts} | {pace:.1f} | {median:.2f} | {late:.2f} |"


def client(ask: Callable[[httpx.Client], int], answers: Answers, until: float) -> None:
    """Ask again and again."""
    with httpx.Client(timeout=120) as held:
        while (began := time.monotonic()) < until:
            try:
                status = str(ask(held))
            except httpx.TransportError as err:
                status = type(err).__name__
            answers.statuses[status] += 1
            if status == "200":
                answers.seconds.append(time.monotonic() - began)


def held_bytes(server: psutil.Process) -> int:
    """Memory of the server and its workers, without files."""
    processes = (server, *server.children(recursive=True))
    return sum(1024 * held_kib(process.pid) for process in processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tile-clients", type=int, default=50)
    parser.add_argument("--upscale-clients", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server, address = start(Path(name))
        try:
            measure(arguments, address, server, Path(name))
        finally:
            server.terminate()
            server.wait()


def measure(
    arguments: argparse.Namespace, address: str, server: subprocess.Popen[bytes], folder: Path
) -> None:
    run = forecast(address, folder)
    found = httpx.get(f"{address}/tiles/{run}/forecast/2021/tilejson.json").json()
    tiles = [(t.z, t.x, t.y) for t in GRID.tiles(*found["bounds"], zooms=[11, 12, 13, 14, 15])]
    buffer = io.BytesIO()
    Image.fromarray(picture(UPSCALED).transpose(1, 2, 0)).save(buffer, "PNG")
    image = {"image": ("in.png", buffer.getvalue())}

    def tile(held: httpx.Client) -> int:
        layer, year = random.choice(LAYERS), random.choice((2021, 2022))
        z, x, y = random.choice(tiles)
        return held.get(f"{address}/tiles/{run}/{layer}/{year}/{z}/{x}/{y}.png").status_code

    def upscale(held: httpx.Client) -> int:
        return held.post(f"{address}/upscale", files=image).status_code

    until = time.monotonic() + arguments.seconds
    kinds = (
        ("tiles", tile, arguments.tile_clients, Answers()),
        ("/upscale", upscale, arguments.upscale_clients, Answers()),
    )
    threads = [
        threading.Thread(target=client, args=(ask, answers, until))
        for _, ask, count, answers in kinds
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    peak, process = 0, psutil.Process(server.pid)
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, held_bytes(process))
        time.sleep(0.5)
    print("| | answers | a second | median, s | 95 %, s |\n|---|---|---|---|---|")
    for name, _, count, answers in kinds:
        print(answers.row(f"{count} on {name}", arguments.seconds))
    print(f"\npeak {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
