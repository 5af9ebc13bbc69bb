"""Peak memory of preparing a large pair of rasters.

    python -m benchmarks.cost.preparation_memory --size 40000

Makes two images of one place window by window, runs `landcast prepare` on them in a process of its
own, and prints the peak of that process's resident memory, its seconds and the tiles it kept.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from benchmarks.cost.processes import run

PATCH_PX = 512
SHIFT = (3, -2)
LIMIT_MIB = 2048
LAYOUTS = {
    "tiled": {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512},
    "striped": {"driver": "GTiff", "tiled": False},
    "png": {"driver": "PNG"},
}


@functools.cache
def texture(seed: int) -> NDArray[np.uint8]:
    """Fields and grain `(3, side, side)` that patches of ground are cut from."""
    rng = np.random.default_rng(seed)
    side = 4 * PATCH_PX
    image = np.full((side, side, 3), 110, np.float32)
    for _ in range(side * side // 3000):
        row, col = rng.integers(0, side, 2)
        height, width = rng.integers(8, 90, 2)
        image[row : row + height, col : col + width] = rng.uniform(40, 200, 3)
    image += cv2.GaussianBlur(rng.normal(0, 40, image.shape).astype(np.float32), (0, 0), 1.5)
    return np.ascontiguousarray(np.clip(image, 1, 254).astype(np.uint8).transpose(2, 0, 1))


def ground(top: int, left: int, *, height: int, width: int, later: bool) -> NDArray[np.uint8]:
    """Any window of a ground without end; a sixteenth of its patches differs at the later date."""
    out = np.empty((3, height, width), np.uint8)
    for row in range(top // PATCH_PX, (top + height - 1) // PATCH_PX + 1):
        for col in range(left // PATCH_PX, (left + width - 1) // PATCH_PX + 1):
            rng = np.random.default_rng([row + 1, col + 1])
            dy, dx = rng.integers(0, 3 * PATCH_PX, 2)
            changed = later and rng.integers(16) == 0
            first_row, first_col = max(top, row * PATCH_PX), max(left, col * PATCH_PX)
            last_row = min(top + height, (row + 1) * PATCH_PX)
            last_col = min(left + width, (col + 1) * PATCH_PX)
            source = texture(1 if changed else 0)[
                :,
                dy + first_row - row * PATCH_PX : dy + last_row - row * PATCH_PX,
                dx + first_col - col * PATCH_PX : dx + last_col - col * PATCH_PX,
            ]
            out[:, first_row - top : last_row - top, first_col - left : last_col - left] = source
    return out


def write_image(path: Path, size: int, *, layout: str, later: bool) -> None:
    """One date of the ground; the later one is moved by some pixels and darker."""
    with rasterio.open(
        path.with_suffix(".tif"),
        "w",
        height=size,
        width=size,
        count=3,
        dtype="uint8",
        crs="EPSG:32613",
        transform=Affine(1, 0, 500_000, 0, -1, 5_000_000),
        compress="deflate",
        zlevel=1,
        bigtiff="if_safer",
        **LAYOUTS["tiled" if layout == "png" else layout],
    ) as file:
        down, right = SHIFT if later else (0, 0)
        step = PATCH_PX if layout != "striped" else 64
        for row in range(0, size, step):
            height = min(step, size - row)
            pixels = ground(row + down, right, height=height, width=size, later=later)
            if later:
                pixels = (pixels * np.float32(0.9)).astype(np.uint8)
            file.write(pixels, window=Window(0, row, size, height))
    if layout == "png":
        from rasterio.shutil import copy

        copy(path.with_suffix(".tif"), path.with_suffix(".png"), driver="PNG", ZLEVEL=1)
        path.with_suffix(".tif").unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=40_000, help="pixels a side")
    parser.add_argument("--layout", choices=LAYOUTS, default="tiled")
    parser.add_argument("--folder", type=Path, help="kept and used again; default: a temporary one")
    parser.add_argument("options", nargs="*", help="for landcast prepare, after --")
    args = parser.parse_args()
    folder = args.folder or Path(tempfile.mkdtemp(prefix="landcast-memory-"))
    try:
        measure(folder, args.size, args.layout, args.options)
    finally:
        if args.folder is None:
            shutil.rmtree(folder)


def measure(folder: Path, size: int, layout: str, options: list[str]) -> None:
    suffix = ".png" if layout == "png" else ".tif"
    paths = [folder / f"{layout}_{size}" / f"place_{year}{suffix}" for year in (2016, 2020)]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if not path.exists():
            part = path.with_name(f"part_{path.name}")
            write_image(part, size, layout=layout, later=path is paths[1])
            part.with_suffix(suffix).rename(path)
            sidecar = Path(f"{part.with_suffix(suffix)}.aux.xml")
            if sidecar.exists():
                sidecar.rename(f"{path}.aux.xml")
    store = paths[0].parent / "pairs.zarr"
    peak, seconds = run("prepare", *paths, "--out", store, "--overwrite", *options)
    counts = json.loads(store.with_name("pairs.report").joinpath("report.json").read_text())
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    verdict = "met" if peak <= LIMIT_MIB else "missed"
    print(
        f"{layout} {size} x {size} px, {megabytes:.0f} MB of files: "
        f"peak {peak:.0f} MiB (goal: at most {LIMIT_MIB}, {verdict}), {seconds:.0f} s, "
        f"{counts['counts']['kept']} of {sum(counts['counts'].values())} tiles kept"
    )
    shutil.rmtree(store)


if __name__ == "__main__":
    main()
