"""`landcast evaluate` of an upscaler: on held-out pairs, beside interpolation."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.scores.request import EvaluationRequest
from app.upscaling.report import UpscalingExample, as_markdown, upscaling_page
from app.upscaling.table import ScoredTiles, Section, sections
from app.upscaling.tile_rasters import write_tile_rasters
from forecast.evaluation.scores.bootstrap import RESAMPLES
from forecast.evaluation.scores.resampling import resampling_units
from preprocessing.errors import PairStoreError
from preprocessing.pairs.location import location_of
from preprocessing.pairs.store import Pairs
from preprocessing.quality.features import FeatureSpace
from preprocessing.running.files import strict, write_text
from preprocessing.running.progress import Progress, untold
from preprocessing.series.pair_index import PairIndex, choose_evenly
from sr.evaluation.correctness import correctness
from sr.evaluation.restorers import NETWORK, restore_all
from sr.evaluation.tile_scores import SCORES, score_tiles
from sr.network.pretrained import advised_alpha, load_network, network_sha256
from sr.network.rrdb import RRDBNet
from sr.network.texture_features import load_texture_features
from sr.training.degradations import area_downsample
from sr.upscale.invention import MAPS, whole_maps

__all__ = ["evaluate_upscaler", "is_upscaler"]

_BATCH = 8
_EXAMPLES = 2
_CHANGED = 20 / 255
"""Mean absolute difference over the bands from which ground counts as changed."""


def is_upscaler(model: str | None) -> bool:
    """Whether `model` is the folder of a super-resolution network."""
    try:
        config = json.loads((Path(str(model)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("_class_name") == RRDBNet.__name__


def evaluate_upscaler(
    request: EvaluationRequest, folder: Path, *, progress: Progress = untold
) -> Path:
    """Restore the later tile of pairs from its 4x4 means in every way, and score that.

    Pairs with gaps are passed over. Restored tiles go into `tiles/`, where they are asked for.

    Args:
        request: What is asked for.
        folder: Model folder.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        PairStoreError: A store cannot be read, or has no pair without gaps.
    """
    out, split, seed = request.out, request.split_of_pairs, request.seed
    network = load_network(folder, alpha=request.alpha)
    space = FeatureSpace.gabor()
    if request.perceptual_weights is not None:
        space = FeatureSpace.vgg16(request.perceptual_weights)
    texture = load_texture_features()
    index = PairIndex.of(request.stores, split)
    units, kinds = resampling_units(index)
    whole = np.flatnonzero(index.complete())
    if len(whole) == 0:
        stores = ", ".join(map(location_of, request.stores))
        raise PairStoreError(
            f"expected a {split} pair without gaps in {stores}, found none; name other stores"
        )
    chosen = whole[choose_evenly(index.dataset[whole], request.most_pairs, seed=seed)]
    scored, examples = ScoredTiles(), []
    shown = _to_show(index.dataset[chosen], seed=seed)
    for start in range(0, len(chosen), _BATCH):
        part = chosen[start : start + _BATCH]
        batch = index.read(part)
        past, truth = (torch.from_numpy(x).float() / 255 for x in (batch.past, batch.future))
        present, low = (area_downsample(x, network.scale) for x in (past, truth))
        moved = (low - present).abs().mean(dim=1) > _CHANGED
        restored = restore_all(network, past, low)
        scored.add(
            index.dataset[part].tolist(),
            units[part].tolist(),
            {
                name: score_tiles(x, truth, low, moved, space, texture)
                for name, x in restored.items()
            },
        )
        if request.rasters:
            write_tile_rasters(out / "tiles", batch, restored, truth, low)
        for i in np.flatnonzero(np.isin(np.arange(start, start + len(part)), shown)).tolist():
            examples.append(_example(batch, i, {n: x[i] for n, x in restored.items()}, truth, low))
        progress("scoring", start + len(part), len(chosen))
    found = sections(scored, seed=seed)
    settings = {
        "model": str(folder),
        "model_sha256": network_sha256(folder),
        "alpha": advised_alpha(folder) if request.alpha is None else request.alpha,
        "stores": [location_of(store) for store in request.stores],
        "split": split,
        "tiles": len(chosen),
        "seed": seed,
        "bootstrap": {"resamples": RESAMPLES, "level": 0.95, "units": kinds},
        "perceptual": space.name,
    }
    out.mkdir(parents=True, exist_ok=True)
    record = {**settings, "sections": [_record(section) for section in found]}
    write_text(out / "scores.json", json.dumps(strict(record), indent=1, allow_nan=False))
    write_text(out / "tiles.csv", _as_csv(scored, index, chosen))
    write_text(out / "report.html", upscaling_page(found, examples, kinds, settings))
    return write_text(out / "report.md", as_markdown(found, settings))


def _to_show(dataset: NDArray[np.str_], *, seed: int) -> NDArray[np.intp]:
    """Positions of two tiles of each dataset, at random and not by score."""
    generator = np.random.default_rng([seed, 3])
    return np.concatenate(
        [
            np.sort(generator.permutation(np.flatnonzero(dataset == name))[:_EXAMPLES])
            for name in np.unique(dataset)
        ]
    )


def _example(
    pairs: Pairs, number: int, restored: dict[str, Tensor], truth: Tensor, low: Tensor
) -> UpscalingExample:
    one = slice(number, number + 1)
    result = restored[NETWORK]
    shares = correctness(result[None], truth[one], low[one])
    colours = torch.cat([shares.hallucination, shares.improvement, shares.omission])
    beside = torch.from_numpy(whole_maps(result.numpy(), low[number].numpy()))
    square = (result - truth[number])[None].square().mean(dim=1, keepdim=True)
    error = area_downsample(square, truth.shape[-1] // low.shape[-1])[0].sqrt()
    return UpscalingExample(
        source=f"{pairs.source[number]} at {pairs.row[number]}, {pairs.col[number]}",
        truth=truth[number],
        restored=restored,
        correctness=colours.nan_to_num(0.0),
        maps=dict(zip((*MAPS, "error"), (*beside, *error), strict=True)),
    )


def _record(section: Section) -> dict[str, Any]:
    return {
        "dataset": section.dataset,
        "tiles": section.tiles,
        "units": section.units,
        "methods": {
            method: {name: value.rounded for name, value in found.items()}
            for method, found in section.scores.items()
        },
        "comparisons": [
            {
                "method": comparison.ours,
                "against": comparison.against,
                "difference": {n: value.rounded for n, value in comparison.difference.items()},
                "verdict": {n: v for n in SCORES if (v := comparison.verdict(n))},
            }
            for comparison in section.comparisons
        ],
        "power_excess_db": {
            method: [float(f"{x:.4g}") for x in excess]
            for method, excess in section.spectra.items()
        },
    }


def _as_csv(scored: ScoredTiles, index: PairIndex, chosen: NDArray[np.intp]) -> str:
    """One line a tile and method; empty where the tile has no pixel of the class.

    Sources are `dataset/place/earlier/later`.
    """
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    places = ("source", "dataset", "place", "earlier", "later", "row", "col", "years")
    table.writerow([*places, "method", *SCORES])
    columns = {}
    for method in scored.scores:
        for name, info in SCORES.items():
            values, weights = scored.column(method, name)
            if info.over == "decibel":
                values = -10 * np.log10(values.clip(1e-10))
            columns[method, name] = np.where(weights > 0, values, np.nan)
    for number, at in enumerate(chosen.tolist()):
        source = str(index.source[at])
        label = [source, index.dataset[at], index.place[at], *source.split("/")[-2:]]
        label += [index.row[at], index.col[at], f"{index.years[at]:.2f}"]
        for method in scored.scores:
            cells = (float(columns[method, name][number]) for name in SCORES)
            table.writerow([*label, method, *("" if x != x else f"{x:.6g}" for x in cells)])
    return buffer.getvalue()
