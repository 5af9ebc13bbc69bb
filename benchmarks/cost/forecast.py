"""What a forecast costs beside the reference design, on one thread.

    python -m benchmarks.cost.forecast [--side 512] [--years 4] [--members 2]

The reference makes a tile of 128 px, a year and a member by 100 DDPM passes of the UNet that
diffusers builds by default (51 channels in, 3 out, 32 x 32) and a 16-block ESRGAN in float32.
landcast forecasts a simulated world once with one year and once with several; what each further
year costs, and what the rest does, are CPU seconds of all its processes in the same run. The share
of the matrix peak is operations a second of a pass over those of a large matrix product.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from diffusers import UNet2DModel
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from app.forecasts.request import ForecastRequest
from app.forecasts.run import forecast_region
from forecast.network.conditions import Tone
from forecast.pretrained import load_model
from preprocessing.simulator import WorldConfig, simulate_world, write_world
from sr.lift.network import load_guided
from sr.network.pretrained import load_network

_SEED = 60_000
_CHANNELS, _CELLS, _TILE_PX, _PASSES = 51, 32, 128, 100
_BATCH = 16


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=512, help="pixels along the world")
    parser.add_argument("--years", type=int, default=4)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", help="shipped name or folder")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    reference = reference_seconds(options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        config = WorldConfig(options.side, options.side, years=2, seed=_SEED)
        write_world(simulate_world(config), Path(folder) / "world", split="test")
        image = max((Path(folder) / "world").glob("scene_*.tif"))

        def seconds(years: int) -> float:
            request = ForecastRequest(
                images=(image,),
                out=Path(folder) / str(years),
                years=years,
                members=options.members,
                model=options.model,
            )
            return _cpu_seconds(lambda: forecast_region(request))

        one, several = seconds(1), seconds(options.years)
    tiles = (options.side / _TILE_PX) ** 2 * options.members
    further = (several - one) / (options.years - 1) / tiles
    fixed = (one - further * tiles) / tiles
    print("| a tile of 128 px and a member | CPU seconds | the reference over it |\n|---|---|---|")
    print(f"| reference, a year | {reference:.1f} | 1 |")
    print(f"| landcast, each further year | {further:.3f} | {reference / further:.0f} |")
    print(f"| landcast, once a forecast | {fixed:.3f} | |")
    whole, years = several / tiles, options.years
    print(f"| landcast, {years} years in all | {whole:.3f} | {years * reference / whole:.0f} |")
    print("\n| network | GFLOP a tile | share of the matrix peak |\n|---|---|---|")
    for name, (operations, share) in matrix_shares(options.model, options.repeats).items():
        print(f"| {name} | {operations / 1e9:.2f} | {share:.2f} |")


@torch.inference_mode()
def reference_seconds(repeats: int) -> float:
    """Least CPU seconds of a tile, a year and a member of the reference."""
    unet = UNet2DModel(in_channels=_CHANNELS, out_channels=3, sample_size=_CELLS).eval()
    network = load_network(device=torch.device("cpu"))
    noisy, low = torch.rand(1, _CHANNELS, _CELLS, _CELLS), torch.rand(1, 3, _CELLS, _CELLS)
    one_pass = min(_cpu_seconds(lambda: unet(noisy, 10)) for _ in range(repeats))
    return _PASSES * one_pass + min(_cpu_seconds(lambda: network(low)) for _ in range(repeats))


@torch.inference_mode()
def matrix_shares(model: str | None, repeats: int) -> dict[str, tuple[float, float]]:
    """Operations a tile, and operations a second over those of a product of two matrices."""
    side, cpu = 2048, torch.device("cpu")
    one, other = torch.rand(2, side, side)
    peak = 2 * side**3 / min(_cpu_seconds(lambda: one @ other) for _ in range(repeats))

    unet, lift = load_model(model, device=cpu), load_guided(device=cpu)
    lift.to(memory_format=torch.channels_last)
    pixels = torch.rand(_BATCH, 3, _TILE_PX, _TILE_PX)
    cells = functional.avg_pool2d(pixels, _TILE_PX // _CELLS)
    later = (cells + 0.1 * torch.randn_like(cells)).clamp(0, 1)
    tone = Tone.of(cells)
    condition = unet.condition(pixels, tone)
    years, noise = torch.full((_BATCH,), 3.0), torch.randn(_BATCH, 3, _CELLS, _CELLS)
    passes: dict[str, Callable[[], object]] = {
        "UNet": lambda: unet(noise, condition, tone, years),
        "lift": lambda: lift(pixels, cells, later),
    }
    found = {}
    for name, work in passes.items():
        with FlopCounterMode(display=False) as counter:
            work()
        operations = counter.get_total_flops()
        seconds = min(_cpu_seconds(work) for _ in range(repeats))
        found[name] = (operations / _BATCH, operations / seconds / peak)
    return found


def _cpu_seconds(work: Callable[[], object]) -> float:
    """Of this process, its threads and the processes that it waited for."""
    begun = time.process_time() + _of_children()
    work()
    return time.process_time() + _of_children() - begun


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
