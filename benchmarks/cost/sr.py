"""Speed of the super-resolution network, and its share of the peak of matrix products.

    python -m benchmarks.cost.sr [--blocks 16] [--sizes 32 64] [--repeats 7]
        [--device cpu] [--batch 1]

On one core, or with `--device cuda` on a GPU. Compares tiles through
`sr.network.inference.upscale_batch` with the same network as plain float32 PyTorch, and with the
plain ESRGAN generator of as many blocks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from preprocessing.running.precision import native_bfloat16
from sr.network.inference import upscale_batch
from sr.network.rrdb import RRDBNet

SIDE = {"cpu": 2048, "cuda": 8192}  # Of the matrices that measure the peak.
FASTER, SHARE = 3.0, 0.65
OURS = "landcast"
PLAIN = "the same network, plain float32"
THEIRS = "plain ESRGAN generator, float32"
MATRICES = "matrix product"


class PlainDenseBlock(nn.Module):
    """Five convolutions, each of all maps before it (Wang et al. 2018, figure 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList(nn.Conv2d(64 + 32 * i, 32, 3, padding=1) for i in range(4))
        self.last = nn.Conv2d(192, 64, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        joined = x
        for conv in self.inner:
            joined = torch.cat([joined, functional.leaky_relu(conv(joined), 0.2)], 1)
        return x + 0.2 * self.last(joined)


class PlainBlock(nn.Module):
    """Residual in residual."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(PlainDenseBlock() for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.dense(x)


class PlainGenerator(nn.Module):
    """The paper's generator as it is mostly written, without anything else."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 64, 3, padding=1)
        self.trunk = nn.Sequential(
            *(PlainBlock() for _ in range(blocks)), nn.Conv2d(64, 64, 3, padding=1)
        )
        doubling = [nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1), nn.LeakyReLU(0.2)]
        again = [nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1), nn.LeakyReLU(0.2)]
        ending = [nn.Conv2d(64, 64, 3, padding=1), nn.LeakyReLU(0.2)]
        self.rest = nn.Sequential(*doubling, *again, *ending, nn.Conv2d(64, 3, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        first = self.first(image)
        return self.rest(first + self.trunk(first))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64], help="sides of a tile")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=1, help="tiles at a time")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs = PlainGenerator(options.blocks).eval().to(options.device)
    network = RRDBNet(num_blocks=options.blocks, global_skip=True).eval().to(options.device)
    for size in options.sizes:
        tiles = torch.rand(options.batch, 3, size, size, device=options.device)
        compare(network, theirs, tiles, options.repeats)


def compare(network: RRDBNet, theirs: PlainGenerator, tile: Tensor, repeats: int) -> None:
    device = tile.device
    half = torch.bfloat16 if native_bfloat16(device.type) else torch.float32
    side = SIDE[device.type]
    matrix = torch.rand(side, side, device=device).to(half)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(tile)
    flop = counter.get_total_flops()
    seconds = (in_turn if device.type == "cpu" else in_turn_on_gpu)(
        {
            OURS: lambda: upscale_batch(network, tile),
            PLAIN: lambda: network(tile),
            THEIRS: lambda: theirs(tile),
            MATRICES: lambda: matrix @ matrix,
        },
        repeats,
    )
    peak = 2 * side**3 / seconds[MATRICES]
    best = seconds[OURS]
    what = f"{len(tile)} tiles" if len(tile) > 1 else "tile"
    print(f"\n{what} of {tile.shape[-1]} px, {len(network.body)} blocks, {flop / 1e9:.1f} GFLOP")
    print(f"peak: {peak / 1e9:.0f} GFLOP/s in {half}, matrices of {side}")
    where = "one thread" if device.type == "cpu" else "GPU"
    print(f"| {where} | time, landcast's = 1 | share of the peak |")
    print("|---|---|---|")
    for name in (OURS, PLAIN, THEIRS):
        took = seconds[name]
        print(f"| {name} | {took / best:.2f} | {flop / took / peak:.0%} |")
    told(f"at least {FASTER} times as fast as plain float32", seconds[PLAIN] / best, FASTER)
    told(f"at least {SHARE} of the peak", flop / best / peak, SHARE)


def told(goal: str, reached: float, limit: float) -> None:
    print(f"{goal}: {reached:.2f}, {'met' if reached >= limit else 'missed'}")


def in_turn(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least seconds of each, after a run to warm up.

    Seconds of the CPU, of one thread: what else runs on the machine counts less.
    """
    best = dict.fromkeys(runs, float("inf"))
    with torch.inference_mode():
        for number in range(repeats + 1):
            for name, run in runs.items():
                start = time.process_time()
                run()
                took = time.process_time() - start
                if number:
                    best[name] = min(best[name], took)
    return best


def in_turn_on_gpu(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Least seconds of each on the GPU, of ten runs in a row, after as many to warm up."""
    best = dict.fromkeys(runs, float("inf"))
    with torch.inference_mode():
        for number in range(repeats + 1):
            for name, run in runs.items():
                torch.cuda.synchronize()
                start = time.perf_counter()
                for _ in range(10):
                    run()
                torch.cuda.synchronize()
                if number:
                    best[name] = min(best[name], (time.perf_counter() - start) / 10)
    return best


if __name__ == "__main__":
    main()
