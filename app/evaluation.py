"""`landcast evaluate`: a model's scores on the validation pairs of some stores, with baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from app.outputs import Progress
from forecast.baselines import DressedPersistence
from forecast.evaluation.tiles import evenly_by_dataset, score_table, score_tiles
from forecast.pretrained import load_model, model_folder, weights_sha256
from forecast.training.data import PairData, read_pairs
from preprocessing.errors import OutputExistsError
from preprocessing.files import strict, write_text
from sr.pretrained import SHIPPED, load_network
from sr.rrdb import RRDBNet
from sr.samples import read_images
from sr.validation import validate

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
    """Score a forecaster beside persistence and dressed persistence, or an RRDBNet beside bicubic.

    Args:
        model: Shipped name (`base`, `rrdb16`) or model folder of either kind.
        stores: Pair stores.
        out: Folder for `scores.json` and `report.md`.
        split: Split that is scored.
        members: Members an ensemble.
        pairs: Score at most about this many pairs, evenly over the datasets.
        progress: Called with `("scoring", done, total)`.

    Returns:
        The path of `report.md`.
    """
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"expected a folder for --out, {out} is a file")
    if (model == SHIPPED.name and not Path(model).is_dir()) or _is_upscaler(model):
        upscaler = Path(str(model)) if Path(str(model)).is_dir() else SHIPPED
        return _evaluate_upscaler(upscaler, stores, out, split)
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
    write_text(out / "scores.json", json.dumps(strict(record), indent=1, allow_nan=False))
    return write_text(
        out / "report.md",
        f"# Scores on the split `{split}`\n\n{len(index)} pairs, {members} members. "
        "Errors are in grey levels of 255, on 4x4 means; lower is better. A spread-skill ratio "
        f"of 1 is calibrated.\n\n{score_table(scores)}\n",
    )


def _is_upscaler(model: str | None) -> bool:
    try:
        config = json.loads((Path(str(model)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("_class_name") == RRDBNet.__name__


def _evaluate_upscaler(folder: Path, stores: Sequence[Path], out: Path, split: str) -> Path:
    network = load_network(folder)
    images = read_images(stores, split)
    scores = validate(network, images)
    out.mkdir(parents=True, exist_ok=True)
    write_text(
        out / "scores.json",
        json.dumps(strict({"split": split, "tiles": len(images), **asdict(scores)})),
    )
    gains = "\n".join(
        f"| {name} | {int((images.dataset == name).sum())} | {gain:+.2f} |"
        for name, gain in scores.gain_db.items()
    )
    return write_text(
        out / "report.md",
        f"# Upscaling by four on the split `{split}`\n\n{len(images)} tiles of 128 px, restored "
        "from their 4x4 means. Sharpness is gradient energy over that of the truth.\n\n"
        "| method | PSNR, dB | sharpness |\n|---|---|---|\n"
        f"| landcast RRDB | {scores.model_psnr_db:.2f} | {scores.model_gradient_ratio:.2f} |\n"
        f"| bicubic | {scores.bicubic_psnr_db:.2f} | {scores.bicubic_gradient_ratio:.2f} |\n\n"
        "| dataset | tiles | gain over bicubic, dB |\n|---|---|---|\n"
        f"{gains}\n",
    )
