"""`landcast evaluate`: a model's scores on the validation pairs of some stores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from app.files import write_text
from app.outputs import Progress
from forecast.baselines import DressedPersistence
from forecast.evaluation.tiles import evenly_by_dataset, score_table, score_tiles
from forecast.pretrained import load_model, model_folder, weights_sha256
from forecast.training.data import PairData, read_pairs

__all__ = ["evaluate"]


def evaluate(
    model: str | None,
    stores: Sequence[Path],
    out: Path,
    *,
    split: str = "val",
    members: int = 16,
    pairs: int = 4096,
    progress: Progress | None = None,
) -> Path:
    """Score a model beside persistence and dressed persistence.

    Args:
        model: Shipped name or model folder.
        stores: Pair stores.
        out: Folder for `scores.json` and `report.md`.
        split: Split that is scored.
        members: Members an ensemble.
        pairs: Score at most about this many pairs, evenly over the datasets.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.
    """
    folder = model_folder(model)
    data = PairData(read_pairs(stores, split), seed=0)
    index = evenly_by_dataset(data, pairs)
    scores = score_tiles(
        load_model(folder),
        data,
        index,
        DressedPersistence.load(folder),
        members=members,
        progress=progress,
    )
    out.mkdir(parents=True, exist_ok=True)
    record = {
        "model": {"name": str(model or "base"), "sha256": weights_sha256(folder)},
        "split": split,
        "members": members,
        "pairs": len(index),
        "scores": scores,
    }
    write_text(out / "scores.json", json.dumps(record, indent=1))
    return write_text(
        out / "report.md",
        f"# Scores on the split `{split}`\n\n{len(index)} pairs, {members} members. "
        "Errors are in grey levels of 255, on 4x4 means; lower is better. A spread-skill ratio "
        f"of 1 is calibrated.\n\n{score_table(scores)}\n",
    )
