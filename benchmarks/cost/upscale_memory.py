"""Peak memory of upscaling a large GeoTIFF.

    python -m benchmarks.cost.upscale_memory --size 6000

Makes a GeoTIFF window by window and a network of one block with random weights, runs
`landcast upscale` on them in a process of its own, and prints the peak of that process's resident
memory and its seconds. Depth changes the time and hardly the memory, which is that of the feature
maps at full resolution: `--features 64` has those of the shipped network.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from rasterio.windows import Window

from benchmarks.cost.processes import run
from sr.network.rrdb import RRDBNet

LIMIT_MIB = 3 * 1024
BLOCK_PX = 512


def write_image(path: Path, size: int) -> None:
    """Noise, which compresses badly and has detail everywhere."""
    rng = np.random.default_rng(0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=size,
        width=size,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
        tiled=True,
        blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX,
    ) as file:
        for row in range(0, size, BLOCK_PX):
            height = min(BLOCK_PX, size - row)
            pixels = rng.integers(0, 256, (3, height, size), np.uint8)
            file.write(pixels, window=Window(0, row, size, height))


def write_network(folder: Path, features: int) -> None:
    """One block, random weights, output near the bicubic one."""
    torch.manual_seed(0)
    network = RRDBNet(
        num_blocks=1, num_features=features, growth_channels=features // 2, global_skip=True
    )
    with torch.no_grad():
        network.conv_last.weight.normal_(std=1e-3)
    network.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=6000, help="pixels a side")
    parser.add_argument("--features", type=int, default=64, help="width of the network")
    parser.add_argument("--folder", type=Path, help="kept; default: a temporary one")
    parser.add_argument("options", nargs="*", help="for landcast upscale, after --")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="landcast-upscale-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        measure(folder, args.size, args.features, args.options)
    finally:
        if args.folder is None:
            shutil.rmtree(folder)


def measure(folder: Path, size: int, features: int, options: list[str]) -> None:
    source, out, model = folder / "image.tif", folder / "large.tif", folder / "network"
    write_image(source, size)
    write_network(model, features)
    given = ("upscale", source, "--out", out, "--model", model, "--overwrite", *options)
    peak, seconds = run(*given)
    with rasterio.open(out) as result:
        shape = f"{result.width} x {result.height}"
    verdict = "met" if peak <= LIMIT_MIB else "missed"
    print(
        f"{size} x {size} to {shape}: {peak:.0f} MiB ({LIMIT_MIB} {verdict}), {seconds:.0f} s, "
        f"{out.stat().st_size / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
