"""Skill and perceptual distance against the ground a tile covers: one model at several extents.

    python benchmarks/scale.py manifest.csv --datasets naip_california \
        --config preprocessing/recipes/aerial-pairs.toml --steps 500 --out out

A tile has 128 px, so metres per pixel follow from the extent. Every extent sees the same pairs of
dates of the same places: those that can be registered at all extents and, for training, that the
filters of `--config` keep at the largest. Trains the recipe `base-32` without rollouts on each, for
equal steps, and scores the places of the split `val`. What is done is not done again after an
interruption. `OUT/scale.png`, `scale.md` and `scale.json` have the scores.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]
sys.path.insert(0, str(Path(__file__).parents[1]))

import argparse
import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from app.cli.bars import progress_bars
from benchmarks.ablation import train
from benchmarks.scale_report import DRESSED, OURS, PLAIN, write_report
from forecast.baselines import DressedPersistence
from forecast.evaluation.bootstrap import RESAMPLES
from forecast.evaluation.features import FeatureDistance
from forecast.evaluation.methods import baselines, forecaster
from forecast.evaluation.results import ALL, Section, sections
from forecast.evaluation.scoring import Scored, score_methods
from forecast.evaluation.statistic import Array, Observed, Statistic, Truth
from forecast.evaluation.sums import EvaluationSums
from forecast.evaluation.values import ValueScores
from forecast.pretrained import load_model
from preprocessing.config import load_config
from preprocessing.files import write_text
from preprocessing.filters import Reason, judge
from preprocessing.manifest import ManifestImage, read_manifest
from preprocessing.pair_index import PairIndex
from preprocessing.pairs import SPLITS, TILE_PX, PairStore
from preprocessing.prepare import prepare_manifest
from preprocessing.prepare_config import PrepareConfig

EXTENTS_M = (38.4, 76.8, 115.2, 153.6)
"""Tiles of images of 256 px of 0.6 m: 16, 4, 4 that overlap, 1."""

_READ = 256
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """What the results depend on; kept in `OUT/study.json`, so that runs are not mixed."""

    manifest: str
    datasets: tuple[str, ...]
    extents_m: tuple[float, ...]
    steps: int
    train_pairs: int | None
    preparation: dict[str, Any]

    def __post_init__(self) -> None:
        if len(self.extents_m) < 2 or not min(self.extents_m) > 0:
            raise ValueError(f"expected two extents or more, above 0, got {self.extents_m}")
        if list(self.extents_m) != sorted(set(self.extents_m)):
            raise ValueError(f"expected rising extents, got {self.extents_m}")

    def cells(self, extent_m: float) -> int | None:
        """How many cells of this extent, along an axis, make one of the largest; None if broken.

        A cell is what is scored, 4x4 pixels; the largest extent has the largest ones.
        """
        ratio = self.extents_m[-1] / extent_m
        whole = round(ratio)
        fits = abs(ratio - whole) < 1e-6 and TILE_PX // 4 % whole == 0
        return whole if fits else None


class CommonCells(ValueScores):
    """`ValueScores` on means over blocks of cells, so that extents are scored alike."""

    name = "common cells"

    def __init__(self, block: int) -> None:
        self._block = block

    def sums(self, members: Tensor, cases: Truth) -> Array:
        def pooled(field: Tensor) -> Tensor:
            return F.avg_pool2d(field, self._block)

        return super().sums(
            pooled(members.flatten(0, 1)).unflatten(0, members.shape[:2]),
            Observed(pooled(cases.difference), (pooled(cases.weight) > 0.999).float()),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--datasets", nargs="+", help="of the manifest; default all")
    parser.add_argument("--extents", type=float, nargs="+", default=EXTENTS_M, help="metres a tile")
    parser.add_argument("--config", type=Path, help="settings of `landcast prepare`, for training")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--train-pairs", type=int, help="of dates, at most; default all")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--perceptual-weights", type=Path, help="of VGG16; else a stand-in")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    config = load_config(PrepareConfig, options.config) if options.config else PrepareConfig()
    try:
        study = Study(
            str(options.manifest),
            tuple(options.datasets or ()),
            tuple(sorted(options.extents)),
            options.steps,
            options.train_pairs,
            asdict(config),
        )
    except ValueError as err:
        parser.error(str(err))
    note(study, options.out)
    with progress_bars() as progress:
        stores = make_stores(study, config, options.out, progress)
        models = [options.out / "models" / store.stem for store in stores]
        for store, model in zip(stores, models, strict=True):
            train([str(store)], model, "base-32", study.steps)
        scored = [
            score(store, model, study.cells(extent), options, progress)
            for store, model, extent in zip(stores, models, study.extents_m, strict=True)
        ]
    statistics = own_statistics(options.perceptual_weights)
    found = {
        store: (extent, whole_section(result.sums, statistics))
        for store, extent, result in zip(stores, study.extents_m, scored, strict=True)
    }
    print(write_report(asdict(study), found, same_ground(study, scored), options.out))


def note(study: Study, out: Path) -> None:
    """Write down what is studied, or stop where `out` holds another study."""
    path, text = out / "study.json", json.dumps(asdict(study), indent=1)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise SystemExit(f"expected the study of {path}, got another one; name another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def make_stores(study: Study, config: PrepareConfig, out: Path, progress: Progress) -> list[Path]:
    """The pair stores of all extents, with the same pairs of dates in each."""
    largest = prepared(study, study.extents_m[-1], Path(study.manifest), config, out, progress)
    sources = kept_sources(largest, config, study.train_pairs)
    listed = list_images(study, sources, out / "images.csv")
    smaller = [
        prepared(study, extent, listed, config, out, progress) for extent in study.extents_m[:-1]
    ]
    sources = sources.intersection(*(store.column("source").tolist() for store in smaller))
    return [chosen_pairs(store, sources, out / "pairs") for store in (*smaller, largest)]


def prepared(
    study: Study,
    extent_m: float,
    manifest: Path,
    config: PrepareConfig,
    out: Path,
    progress: Progress,
) -> PairStore:
    """All pairs at one extent."""
    path = out / "prepared" / f"{extent_m:g}m.zarr"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        # The filters judge tiles, and would choose other ground at each extent.
        every = replace(config, min_valid=0.5, edge_low=0.0, edge_high=1.0, max_changed=1.0)
        every = replace(every, gsd_m=extent_m / TILE_PX, fit_bounds=False)
        prepare_manifest(
            manifest,
            path,
            every,
            datasets=study.datasets or None,
            overwrite=True,
            progress=partial(progress, f"preparing {path.stem}"),
        )
    return PairStore(path)


def kept_sources(store: PairStore, config: PrepareConfig, most: int | None = None) -> set[str]:
    """Pairs of dates to validate on, and at most so many to train on of those the filters keep.

    One of several tiles is enough to be kept.
    """
    pairs = store.read("train")
    reasons = judge(pairs.past, pairs.future, pairs.valid, config.filters)
    kept = np.unique(pairs.source[[reason is Reason.KEPT for reason in reasons]])
    chosen = np.random.default_rng(0).permutation(kept)[:most]
    val = store.column("source")[store.column("split") == SPLITS.index("val")]
    return {*chosen.tolist(), *val.tolist()}


def list_images(study: Study, sources: set[str], path: Path) -> Path:
    """A manifest of the images that some pairs of dates are made of."""
    used = set()
    for source in sources:
        place, earlier, later = source.rsplit("/", 2)
        used |= {(place, earlier), (place, later)}
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(ManifestImage)])
        writer.writeheader()
        for image in read_manifest(study.manifest, datasets=study.datasets or None):
            if (f"{image.dataset}/{image.place}", str(image.date)) in used:
                line = {name: getattr(image, name) for name in writer.fieldnames}
                for name in ("path", "mask"):
                    if isinstance(line[name], Path):
                        line[name] = line[name].absolute()
                writer.writerow(line)
    return path


def chosen_pairs(store: PairStore, sources: set[str], folder: Path) -> Path:
    """A store of the pairs from these sources, of all splits."""
    path = folder / Path(store.location).name
    if path.exists():
        return path
    folder.mkdir(exist_ok=True)
    unfinished = folder / f".{path.name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    part = PairStore.create(unfinished)
    index = np.flatnonzero(np.isin(store.column("source"), sorted(sources)))
    for start in range(0, len(index), _READ):
        part.append(store.read_some(index[start : start + _READ]))
    unfinished.rename(path)
    return path


def own_statistics(weights: Path | None) -> list[Statistic]:
    """What is scored on the cells of each extent."""
    perceptual = FeatureDistance.gabor() if weights is None else FeatureDistance.vgg16(weights)
    return [ValueScores(), perceptual]


def score(
    store: Path,
    model: Path,
    block: int | None,
    options: argparse.Namespace,
    progress: Progress,
) -> Scored:
    """Score a model beside both persistences on the val pairs of its own extent."""
    index = PairIndex.of([store], "val")
    dressed = DressedPersistence.load(model)
    statistics = own_statistics(options.perceptual_weights)
    if block is not None:
        statistics.append(CommonCells(block))
    return score_methods(
        index,
        np.arange(len(index)),
        [
            forecaster(OURS, load_model(model), members=options.members),
            *(
                method
                for method in baselines(dressed, members=options.members)
                if method.name in (PLAIN, DRESSED)
            ),
        ],
        statistics,
        progress=lambda _, done, total: progress(f"scoring {store.stem}", done, total),
    )


def whole_section(sums: EvaluationSums, statistics: Sequence[Statistic]) -> Section:
    """The scores over all datasets and horizons."""
    found = sections(sums, statistics, seed=0, resamples=RESAMPLES)
    return next(s for s in reversed(found) if s.horizon == ALL)


def same_ground(study: Study, scored: Sequence[Scored]) -> Section | None:
    """All extents on the cells of the largest, bootstrapped together.

    The ground is the same, and counts alike where the images are whole tiles of all extents.
    None where there are too few places to be drawn: blocks of tiles differ between extents.
    """
    if any("blocks" in result.kinds.values() for result in scored):
        return None
    merged = EvaluationSums()
    fitting = [
        (f"{extent:g}", result.sums)
        for extent, result in zip(study.extents_m, scored, strict=True)
        if study.cells(extent)
    ][::-1]  # The method that comes first is compared with the others.
    methods = tuple(f"{extent} {method}" for extent, _ in fitting for method in (OURS, PLAIN))
    for extent, sums in fitting:
        for (group, method, statistic), row in sums.sums.items():
            if statistic == CommonCells.name and method in (OURS, PLAIN):
                everyone = group._replace(methods=methods)
                merged.add([everyone], f"{extent} {method}", statistic, row[None])
                merged.pairs.setdefault(everyone, sums.pairs[group])
    return whole_section(merged, [CommonCells(1)])


if __name__ == "__main__":
    main()
