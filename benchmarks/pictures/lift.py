"""The lift of forecasts, given the true low-resolution future of held-out pairs.

    python -m benchmarks.pictures.lift PAIRS... --model DIR [--alpha A] [--pairs 240] [--states 2]

Scores of the lift beside those of the plain network brought to the forecast's means, of today's
detail carried along, and of interpolation; of whole pairs, and of states: today's picture with
objects that changed. Then its operations and seconds beside the plain network.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from kornia.metrics import ssim
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.pictures.outlines import outline_distances_px
from preprocessing.series.pair_index import PairIndex, choose_evenly
from sr.lift.block_means import keep_means, upsample_consistently
from sr.lift.guided_lift import GuidedLift
from sr.lift.network import GuidedRRDBNet, load_guided
from sr.lift.samples import Mixture, draw_examples
from sr.network.inference import upscale_batch
from sr.network.interpolation import interpolate
from sr.network.pretrained import PSNR_FOLDER, load_network
from sr.network.rrdb import RRDBNet, bicubic_upsample
from sr.network.texture_features import TextureFeatures, load_texture_features
from sr.training.degradations import area_downsample
from sr.upscale.fidelity import gradient_ratio, psnr_db

Method = Callable[[Tensor, Tensor, Tensor], Tensor]
GUIDED, PLAIN = "guided lift", "plain network"
CARRIED, BICUBIC = "carried detail", "bicubic"
SCORES = ("PSNR, dB", "SSIM", "texture distance", "sharpness", "unchanged", "outlines, px")
_UNCHANGED = 10 / 255
_BATCH = 8


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--model", required=True, help="folder of 'landcast train lift'")
    parser.add_argument("--alpha", type=float, help="share of the adversarial network of a pair")
    parser.add_argument("--pairs", type=int, default=240)
    parser.add_argument("--states", type=int, default=2, help="states drawn of each pair")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    guided, plain = read_guided(options.model, options.alpha), load_network()
    methods = methods_of(guided, plain)
    index = PairIndex.of(options.stores, "val")
    whole = np.flatnonzero(index.complete())
    chosen = whole[choose_evenly(index.dataset[whole], options.pairs)]
    for dataset in np.unique(index.dataset[chosen]):
        tiles = tiles_of(index, chosen[index.dataset[chosen] == dataset])
        told(f"{dataset}, {len(tiles)} whole pairs", score(methods, whole_pairs(tiles)))
        states = states_of(tiles, options.states * len(tiles))
        told(f"{dataset}, {len(states[0])} states", score(methods, states))
    cost(guided, plain, options.repeats)


def read_guided(folder: str, alpha: float | None) -> GuidedRRDBNet:
    """The network of a folder; with alpha, between its PSNR and its adversarial network."""
    network = load_guided(folder)
    if alpha is not None:
        psnr = load_guided(Path(folder) / PSNR_FOLDER)
        network.load_state_dict(interpolate(psnr.state_dict(), network.state_dict(), alpha))
    return network


def methods_of(guided: GuidedRRDBNet, plain: RRDBNet) -> dict[str, Method]:
    return {
        GUIDED: GuidedLift(guided),
        PLAIN: lambda observed, present, future: keep_means(upscale_batch(plain, future), future),
        CARRIED: lambda observed, present, future: (
            observed + upsample_consistently(future - present)
        ),
        BICUBIC: lambda observed, present, future: bicubic_upsample(future, 4),
    }


def tiles_of(index: PairIndex, chosen: np.ndarray) -> Tensor:
    pairs = index.read(chosen)
    return torch.from_numpy(np.stack([pairs.past, pairs.future], axis=1))


def whole_pairs(tiles: Tensor) -> tuple[Tensor, ...]:
    observed, truth = (tiles.float() / 255).unbind(dim=1)
    return observed, area_downsample(observed, 4), area_downsample(truth, 4), truth


def states_of(tiles: Tensor, count: int) -> tuple[Tensor, ...]:
    """Today's picture with objects of another date or place, outlines true to the pixel."""
    mixture = Mixture(whole=0.0, elsewhere=0.5, drawn=0.0, contrast=(1.0, 1.0))
    drawn = draw_examples(tiles, mixture, batch_size=count, crop_px=tiles.shape[-1], seed=7)
    return drawn.observed, drawn.present, drawn.future, drawn.target


@torch.inference_mode()
def score(methods: dict[str, Method], pictures: tuple[Tensor, ...]) -> dict[str, list[float]]:
    judge, rows = load_texture_features(), {name: [] for name in methods}
    for part in zip(*(torch.split(picture, _BATCH) for picture in pictures), strict=True):
        observed, present, future, truth = part
        for name, method in methods.items():
            estimate = method(observed, present, future).clamp(0, 1)
            rows[name].append(score_tiles(estimate, truth, observed, judge))
    return {name: means(np.concatenate(found)) for name, found in rows.items()}


def means(table: np.ndarray) -> list[float]:
    """Of each column without its NaN; NaN where there is nothing else."""
    known = [column[np.isfinite(column)] for column in table.T]
    return [float(column.mean()) if len(column) else float("nan") for column in known]


def score_tiles(
    estimate: Tensor, truth: Tensor, observed: Tensor, judge: TextureFeatures
) -> np.ndarray:
    """`(b, 6)`: the `SCORES` of each tile; NaN where a tile says nothing."""
    inner = (..., slice(4, -4), slice(4, -4))
    found = [
        psnr_db(estimate, truth).numpy(),
        ssim(estimate, truth, 11)[inner].mean(dim=(1, 2, 3)).numpy(),
        judge.distances(truth[inner], estimate[inner]).numpy(),
        gradient_ratio(estimate, truth).numpy(),
        sharpness_of_unchanged(estimate, truth, observed),
        outline_distances_px(estimate, truth, observed),
    ]
    return np.stack([np.asarray(values, float) for values in found], axis=1)


def sharpness_of_unchanged(estimate: Tensor, truth: Tensor, observed: Tensor) -> np.ndarray:
    """Gradient energy over the truth's, over blocks whose mean changes by at most 10 of 255."""
    change = area_downsample(truth - observed, 4).abs().amax(dim=1, keepdim=True)
    kept = (change <= _UNCHANGED).repeat_interleave(4, -1).repeat_interleave(4, -2)
    energies = []
    for image in (estimate, truth):
        across, down = image.diff(dim=-1).square(), image.diff(dim=-2).square()
        energy = (across * (kept[..., 1:] & kept[..., :-1])).sum(dim=(1, 2, 3))
        energies.append(energy + (down * (kept[..., 1:, :] & kept[..., :-1, :])).sum(dim=(1, 2, 3)))
    ratio = energies[0] / energies[1]
    enough = kept.float().mean(dim=(1, 2, 3)) > 0.05
    return torch.where(enough, ratio, torch.nan).numpy()


def told(title: str, scores: dict[str, list[float]]) -> None:
    print(f"\n{title}\n| method | {' | '.join(SCORES)} |\n|---|{'---|' * len(SCORES)}")
    for name, values in scores.items():
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |", flush=True)


@torch.inference_mode()
def cost(guided: GuidedRRDBNet, plain: RRDBNet, repeats: int) -> None:
    """Operations and least CPU seconds of one thread, in turn, of a tile of 128 px."""
    observed = torch.rand(1, 3, 128, 128)
    present = area_downsample(observed, 4)
    future = torch.rand_like(present)
    lift = GuidedLift(guided)
    runs: dict[str, Callable[[], object]] = {
        GUIDED: lambda: lift(observed, present, future),
        PLAIN: lambda: upscale_batch(plain, future),
    }
    best, flop = dict.fromkeys(runs, float("inf")), {}
    for name, run in runs.items():
        with FlopCounterMode(display=False) as counter:
            run()
        flop[name] = counter.get_total_flops()
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    print("\n| a tile of 128 px | GFLOP | CPU seconds | of the plain network |\n|---|---|---|---|")
    for name in runs:
        share = best[name] / best[PLAIN]
        print(f"| {name} | {flop[name] / 1e9:.1f} | {best[name]:.3f} | {share:.2f} |")


if __name__ == "__main__":
    main()
