"""The same small forecaster, trained without each place in turn and scored there.

    landcast train forecast SERIES.zarr --config small --out small
    python -m benchmarks.skill.leave_one_out small/training/places.npz --out docs/leave-one-out.md

Places that have labels of lasting change are left out one by one, those of validation too: they
were never trained on. The figure for unseen ground, beside the rules on the same cells.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from forecast.evaluation.scores.roc import area_under_curve
from forecast.network.conditions import CONDITIONS, RULES
from forecast.network.unet import ChangeUNet
from forecast.training.config import ForecastTraining, read_recipe
from forecast.training.loop import known_mean, train_network
from forecast.training.place_scores import Case, score_place
from forecast.training.place_tensors import Ground, GroundPlace
from forecast.training.portable import load_places
from forecast.training.run import cases_of
from forecast.training.training_samples import gather
from preprocessing.running.files import write_text

_SIZE, _, _TEXTURE = (channel for channel, _ in RULES)
_CELLS = 32
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("places", type=Path, metavar="places.npz")
    parser.add_argument("--config", default="small")
    parser.add_argument("--datasets", nargs="*", help="leave out places of these alone")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    config = read_recipe(options.config)
    train, val = load_places(options.places)
    lines = [
        "| left out | cells changed | AUC, one image | with history | changed before | texture "
        "| expected / true, one image | with history |",
        "|---" * 8 + "|",
    ]
    for place in [*train, *val]:
        named = options.datasets is None or place.dataset in options.datasets
        if not place.labels or place.dataset == "worlds" or not named:
            continue
        row = left_out(place, [other for other in train if other is not place], config)
        if row is not None:
            lines.append(row)
            print(row, flush=True)
    if options.out is not None:
        write_text(options.out, page("\n".join(lines), config))


def left_out(
    place: GroundPlace, others: Sequence[GroundPlace], config: ForecastTraining
) -> str | None:
    """One row: train on the others, score the place; None if nothing changed there."""
    cases = cases_of(others, [place])
    if not cases:
        return None
    ground = Ground.of([*others, place])
    catalogue = config.catalogue(others, ground)
    work = Path(tempfile.mkdtemp())
    model = train_network(ground, catalogue, [], config, work, device=CPU)
    shutil.rmtree(work)
    rules = [rules_of(model, ground, case) for case in cases]
    alone = [score_place(model, ground, case, history=False) for case in cases]
    told = [score_place(model, ground, case, history=True) for case in cases]
    means = [
        known_mean([share for share, _, _ in rules]),
        known_mean([score.auc for score in alone]),
        known_mean([score.auc for score in told]),
        known_mean([before for _, before, _ in rules]),
        known_mean([texture for _, _, texture in rules]),
        known_mean([score.area for score in alone]),
        known_mean([score.area for score in told]),
    ]
    if means[1] is None:
        return None
    shown = ["-" if mean is None else f"{mean:.3f}" for mean in means]
    return f"| {place.name} | {' | '.join(shown)} |"


def rules_of(model: ChangeUNet, ground: Ground, case: Case) -> tuple[float, float, float]:
    """Share of cells that changed, AUC of the size of past change and of texture."""
    height, width = int(ground.height[case.place]), int(ground.width[case.place])
    corners = [
        (top, left)
        for top in sorted({*range(0, height - _CELLS, _CELLS), height - _CELLS})
        for left in sorted({*range(0, width - _CELLS, _CELLS), width - _CELLS})
    ]
    rows = torch.tensor(
        [[case.place, case.start, case.end, case.label, *corner] for corner in corners]
    )
    item = gather(ground, rows, torch.ones(len(rows)), None, torch.Generator())
    condition = model.condition(item.past, item.tone, item.earlier)[:, -CONDITIONS:]
    known = item.labelled[:, 0] > 0
    event = (item.change[:, 0] > 0.5)[known].numpy()
    size, texture = (condition[:, c][known].numpy() for c in (_SIZE, _TEXTURE))
    share = float(event.mean()) if len(event) else 0.0
    return share, area_under_curve(event, size), area_under_curve(event, np.asarray(texture))


def page(table: str, config: ForecastTraining) -> str:
    return f"""# Leaving one place out

Made by `python -m benchmarks.skill.leave_one_out places.npz`: the recipe `small`
({config.steps} steps of {config.batch_size}) is trained once for each place without it, and
scored there. Means over two starts and two horizons (some three and seven years); truth are the
labels of [lasting change](lasting-change.md) above one half.

{table}
"""


if __name__ == "__main__":
    main()
