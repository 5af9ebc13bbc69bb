"""Scores of an upscaler on tiles of held-out places, beside bicubic interpolation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from preprocessing.files import strict, write_text
from preprocessing.pair_index import choose_evenly
from sr.pretrained import load_network
from sr.rrdb import RRDBNet
from sr.samples import read_images
from sr.validation import validate

__all__ = ["evaluate_upscaler", "is_upscaler"]


def is_upscaler(model: str | None) -> bool:
    """Whether `model` is the folder of a super-resolution network."""
    try:
        config = json.loads((Path(str(model)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("_class_name") == RRDBNet.__name__


def evaluate_upscaler(
    folder: Path,
    stores: Sequence[str | Path],
    out: Path,
    *,
    split: str,
    pairs: int,
    seed: int = 0,
    alpha: float | None = None,
) -> Path:
    """Score upscaling by four of the past and future tiles of pairs.

    Args:
        folder: Model folder.
        stores: Pair stores.
        out: Folder for `scores.json` and `report.md`.
        split: Split that is scored.
        pairs: About so many pairs, evenly over the datasets: twice as many tiles.
        seed: Of their choice.
        alpha: Share of the adversarial network, see `load_network`.

    Returns:
        The path of `report.md`.
    """
    network = load_network(folder, alpha=alpha)
    images = read_images(stores, split)
    images = images.take(choose_evenly(images.dataset, 2 * pairs, seed=seed))
    scores = validate(network, images)
    out.mkdir(parents=True, exist_ok=True)
    write_text(
        out / "scores.json",
        json.dumps(strict({"split": split, "tiles": len(images), "seed": seed, **asdict(scores)})),
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
