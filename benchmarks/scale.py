"""Skill and perceptual distance against the ground a tile covers: one model at several extents.

    python benchmarks/scale.py manifest.csv --datasets naip_california \
        --config forecast/recipes/aerial-pairs.toml --steps 500 --out out

A tile has 128 px, so metres per pixel follow from the extent. Every extent sees the same pairs of
dates of the same places: those that can be registered at all extents and, for training, that the
filters of `--config` keep at the largest one. Trains the recipe without rollouts on each, for
equal steps, and scores the places of the split `val`. An extent that is done is not trained again.
`OUT/scale.png`, `scale.md` and `scale.json` have the scores.
"""

from __future__ import annotations

# ruff: noqa: E402
import sys
from pathlib import Path

# Python looks for modules beside a script first, and would take a file here for the package.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

import argparse
import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from app.cli.bars import progress_bars
from forecast.baselines import DressedPersistence
from forecast.evaluation.bootstrap import RESAMPLES, Estimate
from forecast.evaluation.cases import Cases
from forecast.evaluation.charts import COLOURS
from forecast.evaluation.features import FeatureDistance
from forecast.evaluation.methods import baselines, forecaster
from forecast.evaluation.pair_index import PairIndex
from forecast.evaluation.results import ALL, Section, sections
from forecast.evaluation.scoring import Scored, score_methods
from forecast.evaluation.statistic import Array, Statistic
from forecast.evaluation.sums import EvaluationSums
from forecast.evaluation.values import ValueScores
from forecast.pretrained import load_model
from forecast.training.checkpoint import CHECKPOINT
from forecast.training.config import read_recipe
from forecast.training.loop import train_forecast
from preprocessing.config import load_config
from preprocessing.files import strict, write_text
from preprocessing.filters import Reason, judge
from preprocessing.manifest import ManifestImage, read_manifest
from preprocessing.pairs import SPLITS, TILE_PX, PairStore
from preprocessing.prepare import prepare_manifest
from preprocessing.prepare_config import PrepareConfig

EXTENTS_M = (38.4, 76.8, 115.2, 153.6)
"""Tiles of images of 256 px of 0.6 m: 16, 4, 4 that overlap, 1."""

OURS, PLAIN, DRESSED = "landcast", "persistence", "dressed persistence"
_READ = 256
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Study:
    """What the results depend on; kept in `OUT/study.json`, so that runs are not mixed."""

    manifest: str
    datasets: tuple[str, ...]
    extents_m: tuple[float, ...]
    recipe: str
    steps: int
    filters: dict[str, float]

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

    def sums(self, members: Tensor, cases: Cases) -> Array:
        def pooled(field: Tensor) -> Tensor:
            return F.avg_pool2d(field, self._block)

        return super().sums(
            pooled(members.flatten(0, 1)).unflatten(0, members.shape[:2]),
            replace(
                cases,
                difference=pooled(cases.difference),
                weight=(pooled(cases.weight) > 0.999).float(),
            ),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--datasets", nargs="+", help="of the manifest; default all")
    parser.add_argument("--extents", type=float, nargs="+", default=EXTENTS_M, help="metres a tile")
    parser.add_argument("--config", type=Path, help="settings of `landcast prepare`, for training")
    parser.add_argument("--recipe", default="base")
    parser.add_argument("--steps", type=int, default=500)
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
            options.recipe,
            options.steps,
            asdict(config.filters),
        )
    except ValueError as err:
        parser.error(str(err))
    note(study, options.out)
    with progress_bars() as progress:
        stores = make_stores(study, config, options.out, progress)
        models = [options.out / "models" / store.stem for store in stores]
        for store, model in zip(stores, models, strict=True):
            train(study, store, model, progress)
        scored = [
            score(store, model, study.cells(extent), options, progress)
            for store, model, extent in zip(stores, models, study.extents_m, strict=True)
        ]
    statistics = own_statistics(options.perceptual_weights)
    found = {
        extent: whole_sections(result.sums, statistics)
        for extent, result in zip(study.extents_m, scored, strict=True)
    }
    report(study, found, same_ground(study, scored), stores, options.out)


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
    sources = kept_sources(largest, config)
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
        prepare_manifest(
            manifest,
            path,
            replace(every, gsd_m=extent_m / TILE_PX),
            datasets=study.datasets or None,
            overwrite=True,
            progress=partial(progress, f"preparing {path.stem}"),
        )
    return PairStore(path)


def kept_sources(store: PairStore, config: PrepareConfig) -> set[str]:
    """Pairs of dates to validate on, and of those to train on the ones the filters keep.

    One of several tiles is enough.
    """
    pairs = store.read("train")
    reasons = judge(pairs.past, pairs.future, pairs.valid, config.filters)
    kept = np.array([reason is Reason.KEPT for reason in reasons])
    val = store.column("source")[store.column("split") == SPLITS.index("val")]
    return {*pairs.source[kept].tolist(), *val.tolist()}


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


def train(study: Study, store: Path, out: Path, progress: Progress) -> None:
    """Train the recipe on one extent, unless that is done."""
    if (out / "training.json").exists():
        return
    # Validation along the way would score the pairs that decide in the end. Rollouts take time and
    # are not what the scores are about.
    recipe = replace(
        read_recipe(study.recipe),
        rollout_share=0.0,
        steps=study.steps,
        validate_every=study.steps,
        validation_pairs=1,
    )
    train_forecast(
        [store],
        out,
        recipe,
        resume=(out / CHECKPOINT).exists(),
        progress=lambda _, done, total: progress(f"training {store.stem}", done, total),
    )


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


def whole_sections(sums: EvaluationSums, statistics: Sequence[Statistic]) -> Section:
    """The scores over all datasets and horizons."""
    found = sections(sums, statistics, seed=0, resamples=RESAMPLES)
    return next(s for s in reversed(found) if s.horizon == ALL)


def same_ground(study: Study, scored: Sequence[Scored]) -> Section | None:
    """All extents on the cells of the largest: the same ground, bootstrapped together.

    None where there are too few places to be drawn: blocks of tiles differ between extents.
    """
    if any("blocks" in result.kinds.values() for result in scored):
        return None
    merged = EvaluationSums()
    names = {f"{extent:g}": result for extent, result in zip(study.extents_m, scored, strict=True)}
    names = {
        name: result
        for name, result in reversed(names.items())
        if CommonCells.name in result.sums.statistics()
    }
    methods = tuple(f"{name} {method}" for name in names for method in (OURS, PLAIN))
    for number, (name, result) in enumerate(names.items()):
        for (group, method, statistic), row in result.sums.sums.items():
            if statistic == CommonCells.name and method in (OURS, PLAIN):
                merged.add(
                    [group._replace(methods=methods)], f"{name} {method}", statistic, row[None]
                )
        if number == 0:
            for group, pairs in result.sums.pairs.items():
                merged.pairs[group._replace(methods=methods)] = pairs
    return whole_sections(merged, [CommonCells(1)])


def report(
    study: Study,
    found: dict[float, Section],
    common: Section | None,
    stores: Sequence[Path],
    out: Path,
) -> None:
    """Write the scores as JSON, table and figure."""
    rows = [
        row_of(study, extent, section, store)
        for (extent, section), store in zip(found.items(), stores, strict=True)
    ]
    alike = (
        []
        if common is None
        else [alike_of(common, row["extent_m"]) for row in rows if study.cells(row["extent_m"])]
    )
    record = {**asdict(study), "extents": rows, "common_cells": alike}
    write_text(out / "scale.json", json.dumps(strict(record), indent=1, allow_nan=False))
    text = as_markdown(rows, alike)
    write_text(out / "scale.md", text)
    draw(rows, alike, out / "scale.png")
    print(text)


Triple = tuple[float, float, float]
"""A value and the bounds of its 95 % interval."""


def row_of(study: Study, extent_m: float, section: Section, store: Path) -> dict[str, Any]:
    """The scores of one extent; errors in grey levels of 255."""
    methods = {method.method: method.scores for method in section.methods}
    perceptual = next(name for name in methods[OURS] if name.endswith("_distance"))
    skills = {c.against: c.skill["crps"] for c in section.comparisons}
    return {
        "extent_m": extent_m,
        "gsd_m": extent_m / TILE_PX,
        "cell_m": 4 * extent_m / TILE_PX,
        "train_tiles": int((PairStore(store).column("split") == 0).sum()),
        "val_tiles": section.pairs,
        "places": section.units,
        "crps": {name: triple(scores["crps"], 255) for name, scores in methods.items()},
        "crps_ratio": {name: ratio(skill) for name, skill in skills.items()},
        "perceptual": perceptual,
        "perceptual_distance": {n: triple(scores[perceptual]) for n, scores in methods.items()},
    }


def alike_of(common: Section, extent_m: float) -> dict[str, Any]:
    """The scores of one extent on the cells of the largest, and what it is worse than that by."""
    scores = {method.method: method.scores["crps"] for method in common.methods}
    ours, plain = f"{extent_m:g} {OURS}", f"{extent_m:g} {PLAIN}"
    worse = next((c.difference["crps"] for c in common.comparisons if c.against == ours), None)
    return {
        "extent_m": extent_m,
        "crps": {OURS: triple(scores[ours], 255), PLAIN: triple(scores[plain], 255)},
        # The comparison is of the largest with this one.
        "minus_largest": None
        if worse is None
        else tuple(-255 * value for value in (worse.value, worse.high, worse.low)),
    }


def triple(estimate: Estimate, factor: float = 1.0) -> Triple:
    return (factor * estimate.value, factor * estimate.low, factor * estimate.high)


def ratio(skill: Estimate) -> Triple:
    """Ours over theirs, from 1 minus that."""
    return (1 - skill.value, 1 - skill.high, 1 - skill.low)


def as_markdown(rows: Sequence[dict[str, Any]], alike: Sequence[dict[str, Any]]) -> str:
    perceptual = rows[0]["perceptual"].replace("_", " ")
    lines = [
        "| tile, m | m/px | training tiles | val tiles | CRPS | persistence | dressed "
        f"| CRPS / persistence | CRPS / dressed | {perceptual} | of persistence | of dressed |",
        "|---" * 12 + "|",
    ]
    for row in rows:
        crps, distance = row["crps"], row["perceptual_distance"]
        cells = [
            f"{row['extent_m']:g}",
            f"{row['gsd_m']:g}",
            f"{row['train_tiles']}",
            f"{row['val_tiles']}",
            *(f"{crps[name][0]:.2f}" for name in (OURS, PLAIN, DRESSED)),
            *(shown(row["crps_ratio"][name], 3) for name in (PLAIN, DRESSED)),
            *(shown(distance[name], 3) for name in (OURS, PLAIN, DRESSED)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if alike:
        largest = rows[-1]
        lines += [
            "",
            f"On the same ground, in cells of {largest['cell_m']:g} m:",
            "",
            f"| tile, m | CRPS | persistence | CRPS minus that of {largest['extent_m']:g} m |",
            "|---|---|---|---|",
        ]
        for row in alike:
            gap = "" if row["minus_largest"] is None else shown(row["minus_largest"], 2)
            crps = row["crps"]
            lines.append(
                f"| {row['extent_m']:g} | {crps[OURS][0]:.2f} | {crps[PLAIN][0]:.2f} | {gap} |"
            )
    return "\n".join(lines) + "\n"


def shown(values: Triple, digits: int) -> str:
    value, low, high = (f"{number:.{digits}f}" for number in values)
    return value if low == "nan" else f"{value} [{low}, {high}]"


def draw(rows: Sequence[dict[str, Any]], alike: Sequence[dict[str, Any]], path: Path) -> None:
    """The figure: CRPS, its ratios, perceptual distance."""
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(12, 3.8), layout="constrained", dpi=110)
        absolute, relative, perceptual = figure.subplots(1, 3)
        methods = (OURS, PLAIN, DRESSED)
        for number, name in enumerate(methods):
            line(absolute, rows, ("crps", name), number, name)
            line(perceptual, rows, ("perceptual_distance", name), number, name)
        absolute.set_ylabel("CRPS, grey levels")
        perceptual.set_ylabel(rows[0]["perceptual"].replace("_", " "))
        for number, name in enumerate(methods[1:], start=1):
            line(relative, rows, ("crps_ratio", name), number, name)
        if alike:
            cell = f", in cells of {rows[-1]['cell_m']:g} m"
            line(absolute, alike, ("crps", OURS), 3, OURS + cell)
            line(absolute, alike, ("crps", PLAIN), 4, PLAIN + cell)
        relative.axhline(1, color="#22272b", linewidth=0.8)
        relative.set_ylabel("CRPS of landcast over that of")
        for axes in (absolute, relative, perceptual):
            axes.set_xlabel("side of a tile of 128 px, m")
            axes.set_xticks([row["extent_m"] for row in rows])
            axes.grid(color="#dfe3e6", linewidth=0.6)
            axes.legend(frameon=False, fontsize=8)
        unfinished = path.with_name(f".{path.name}")
        figure.savefig(unfinished, format="png")
        unfinished.rename(path)


def line(
    axes: Axes,
    rows: Sequence[dict[str, Any]],
    key: tuple[str, str],
    number: int,
    label: str,
) -> None:
    x = [row["extent_m"] for row in rows]
    value, low, high = np.array([row[key[0]][key[1]] for row in rows]).T
    axes.plot(x, value, "osD^v"[number], linestyle="-", color=COLOURS[number], label=label)
    axes.vlines(x, low, high, color=COLOURS[number], linewidth=1.5)


if __name__ == "__main__":
    main()
