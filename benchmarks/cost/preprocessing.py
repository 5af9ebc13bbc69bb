"""Preparation against scikit-image, a loop over tiles, and plain copying, side by side.

    python -m benchmarks.cost.preprocessing --size 2048 --repeats 5

Prints ratios of times, which carry over to other machines better than seconds do.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import kornia
import numpy as np
import rasterio
import torch
from affine import Affine
from numpy.typing import NDArray
from skimage.exposure import match_histograms

from preprocessing.preparation.run import PrepareConfig, prepare_pair
from preprocessing.radiometry.histogram_matching import match_histogram
from preprocessing.tiles.filters import FilterConfig, Reason, judge
from preprocessing.tiles.tiling import plan_tiles

TILE_PX = 128
Image = NDArray[np.uint8]
Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    `faster` says which way the goal goes: their time over ours (at least), or ours over theirs
    (at most). Without a goal the line is for information.
    """

    name: str
    ours: Work
    theirs: Work
    goal: float | None
    faster: bool = True

    def verdict(self, ratio: float) -> str:
        if self.goal is None:
            return "-"
        met = ratio >= self.goal if self.faster else ratio <= self.goal
        return f"{'>=' if self.faster else '<='} {self.goal:g} {'met' if met else 'MISSED'}"

    def ratios(self, repeats: int) -> list[float]:
        """Both are timed in turn, so that what else the machine does hits both."""
        self.ours(), self.theirs()  # Warm: imports, caches, plans.
        found = []
        for _ in range(repeats):
            ours, theirs = _seconds(self.ours), _seconds(self.theirs)
            found.append(theirs / ours if self.faster else ours / theirs)
        return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2048, help="side of the images, pixels")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch and OpenCV")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    past, future = made_pair(options.size, options.seed)
    print(
        f"two made images of {options.size} x {options.size} px, three channels of 8 bit; "
        f"{options.threads} thread(s); median of {options.repeats} runs\n"
    )
    print(f"{'':<66}{'ratio':>8}{'lowest':>8}{'highest':>8}  goal")
    with tempfile.TemporaryDirectory() as folder:
        for comparison in comparisons(past, future, Path(folder)):
            found = comparison.ratios(options.repeats)
            middle = statistics.median(found)
            print(
                f"{comparison.name:<66}{middle:>8.2f}{min(found):>8.2f}{max(found):>8.2f}  "
                f"{comparison.verdict(middle)}",
                flush=True,
            )
    check_same(past, future)


def comparisons(past: Image, future: Image, folder: Path) -> list[Comparison]:
    last = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in (past, future)]
    deep = [sixteen_bits(image) for image in (future, past)]
    found = [
        Comparison(
            "histogram matching: times as fast as scikit-image",
            lambda: match_histogram(future, past),
            lambda: match_histograms(future, past, channel_axis=0),  # The quicker axis for it.
            goal=5,
        ),
        Comparison(
            "histogram matching of 16 bits: times as fast as scikit-image",
            lambda: match_histogram(*deep, levels=65536),
            lambda: match_histograms(*deep, channel_axis=0),
            goal=5,
        ),
        Comparison(
            "tiling and filtering: times as fast as a loop over the tiles",
            lambda: filtered(past, future),
            lambda: filtered_in_a_loop(*last),
            goal=5,
        ),
    ]
    for compress in ("deflate", "uncompressed"):
        files = write_files(folder / compress, past, future, compress)
        out = folder / f"{compress}.zarr"
        found.append(
            Comparison(
                f"prepare: times as long as only copying (GeoTIFF, {compress})",
                partial(prepare_pair, *files, out, PrepareConfig(), overwrite=True),
                partial(copied, files),
                # Images are kept compressed; copying them uncompressed is copying memory.
                goal=6 if compress == "deflate" else None,
                faster=False,
            )
        )
    return found


def filtered(past: Image, future: Image) -> tuple[Image, Image]:
    """Ours: plan, cut, judge all together."""
    height, width = past.shape[1:]
    windows = plan_tiles(height, width, size=TILE_PX, stride=TILE_PX)
    before, after = (np.stack([i[(..., *w.slices)] for w in windows]) for i in (past, future))
    valid = np.ones((len(windows), TILE_PX, TILE_PX), bool)
    kept = np.array([r is Reason.KEPT for r in judge(before, after, valid, FilterConfig())])
    return before[kept], after[kept]


def filtered_in_a_loop(past: Image, future: Image) -> list[tuple[Image, Image]]:
    """The way it is mostly written: each tile of each image by itself.

    Canny's detector with its defaults on one tile at a time, edges added up, the difference of
    unsigned bytes.
    """
    kept = []
    for row in range(0, past.shape[0] - TILE_PX + 1, TILE_PX):
        for col in range(0, past.shape[1] - TILE_PX + 1, TILE_PX):
            tiles = [i[row : row + TILE_PX, col : col + TILE_PX] for i in (past, future)]
            detail = []
            for tile in tiles:
                tensor = torch.from_numpy(tile.copy()).permute(2, 0, 1)[None].float() / 255
                with torch.inference_mode():
                    _, edges = kornia.filters.canny(tensor)
                detail.append(float(edges.sum()) * 255 / TILE_PX**2)
            changed = (np.abs(tiles[1] - tiles[0]) > 20).mean()
            if min(detail) > 5 and max(detail) < 30 and changed < 0.75:
                kept.append((tiles[0], tiles[1]))
    return kept


def copied(files: Sequence[Path]) -> None:
    """Read the same files and write the same bytes, no more."""
    for path in files:
        with rasterio.open(path) as source:
            data, profile = source.read(), source.profile
        with rasterio.open(path.with_suffix(".copy.tif"), "w", **profile) as target:
            target.write(data)


def write_files(folder: Path, past: Image, future: Image, compress: str) -> tuple[Path, Path]:
    folder.mkdir()
    paths = (folder / "place_2016.tif", folder / "place_2018.tif")
    options: dict[str, Any] = {} if compress == "uncompressed" else {"compress": compress}
    for path, data in zip(paths, (past, future), strict=True):
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=data.shape[1],
            width=data.shape[2],
            count=3,
            dtype="uint8",
            photometric="RGB",
            interleave="pixel",
            tiled=True,
            blockxsize=512,
            blockysize=512,
            crs="EPSG:32610",
            transform=Affine(0.6, 0, 500_000, 0, -0.6, 4_000_000),
            **options,
        ) as file:
            file.write(data)
    return paths


def made_pair(size: int, seed: int) -> tuple[Image, Image]:
    """Fields, buildings and texture; a third of the later one has changed, all of it its colours.

    Returns:
        Two images `(3, size, size)`.
    """
    rng = np.random.default_rng(seed)
    margin = size + 8
    ground = cv2.resize(
        rng.uniform(60, 170, (margin // 48 + 2, margin // 48 + 2, 3)).astype(np.float32),
        (margin, margin),
        interpolation=cv2.INTER_NEAREST,
    )
    for _ in range(size * size // 3000):
        row, col = (int(v) for v in rng.integers(0, margin, 2))
        height, width = (int(v) for v in rng.integers(5, 30, 2))
        ground[row : row + height, col : col + width] = rng.uniform(30, 220, 3)
    later = ground.copy()
    for _ in range(size * size // 9000):
        row, col = (int(v) for v in rng.integers(0, margin, 2))
        later[row : row + 40, col : col + 40] = rng.uniform(30, 220, 3)
    later = cv2.warpAffine(
        later, np.array([[1, 0, 1.3], [0, 1, -0.7]], np.float32), (margin, margin)
    )
    images = []
    for scene, gain, offset in ((ground, 1.0, 0.0), (later, 0.85, 14.0)):
        blurred = cv2.GaussianBlur(scene, (0, 0), 0.7)
        noisy = blurred + rng.normal(0, 4, blurred.shape)
        stored = np.clip(np.rint(noisy * gain + offset), 0, 255).astype(np.uint8)
        images.append(np.ascontiguousarray(stored[4:-4, 4:-4].transpose(2, 0, 1)))
    return images[0], images[1]


def sixteen_bits(image: Image) -> NDArray[np.uint16]:
    """The image `(3, h, w)` with eight more bits of detail, so that all levels are used."""
    below = np.random.default_rng(0).integers(0, 257, image.shape, dtype=np.uint16)
    return np.maximum(image.astype(np.uint16) * 257, below) - below


def check_same(past: Image, future: Image) -> None:
    """What was timed does the same work: colours to a level, the same number of tiles judged."""
    furthest = []
    for levels, images in ((256, (future, past)), (65536, [*map(sixteen_bits, (future, past))])):
        theirs = match_histograms(*images, channel_axis=0)
        ours = match_histogram(*images, levels=levels).astype(float)
        furthest.append(f"{np.abs(ours - theirs).max():.2f}")
    kept = len(filtered(past, future)[0])
    in_loop = len(filtered_in_a_loop(past.transpose(1, 2, 0), future.transpose(1, 2, 0)))
    tiles = (past.shape[1] // TILE_PX) * (past.shape[2] // TILE_PX)
    print(
        f"\nmatched images differ by at most {' and '.join(furthest)} levels of 8 and 16 bits; of "
        f"{tiles} tiles ours keeps {kept}, the loop, which wraps around below zero, {in_loop}"
    )


def _seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
