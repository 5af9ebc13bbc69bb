"""Running a comparison: read, degrade, restore, score, write."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image as Pictures

from app.comparison.figures import CROP_PX, Example, crops_sheet, curves_figure, liveliest
from app.comparison.images import Image, StudyImage, degrade, find_images
from app.comparison.kept import LIST, keep_degraded
from app.comparison.methods import LUT, Method, bicubic, classical_methods, lut_method, networks
from app.comparison.page import comparison_page
from app.comparison.request import SCALE, ComparisonRequest, level_name
from app.comparison.scores import score
from app.comparison.summary import Scores, Summary, summarise
from app.comparison.tables import as_csv, as_markdown, as_record
from forecast.evaluation.scores.perceptual import FeatureDistance
from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.running.counted import counted
from preprocessing.running.files import strict, write_text
from preprocessing.running.output_lock import check_place, owned_file
from preprocessing.running.partial_files import partial_path, remove_partials_of
from preprocessing.running.progress import Progress, untold
from sr.enhance import Lut3D, LutFit, write_cube

__all__ = ["compare"]

_RECORD = "comparison.json"
_EXAMPLES = 3
_DPI = 110


@dataclass(frozen=True)
class _Tables:
    """Fitted tables: one for each image, one to keep, or none and the reason."""

    each: list[Lut3D]
    kept: Lut3D | None
    reason: str


def compare(request: ComparisonRequest, *, progress: Progress = untold) -> Path:
    """Degrade images, restore them with every method, and report scores, times and crops.

    Writes `comparison.csv` (each image), `comparison.json` (means, intervals, ranks),
    `report.md`, `report.html`, `curves.png`, `crops_NAME.png` and, where a table was fitted,
    `lut.cube`.

    Args:
        request: What is compared.
        progress: Called with `(stage, done, total)`.

    Returns:
        The path of `report.md`.

    Raises:
        OutputExistsError: A folder for results holds other files, or an earlier comparison and
            `overwrite` is off.
        RequestError: An image, model or weights cannot be read.
    """
    _check_output(request.out, _RECORD, overwrite=request.overwrite)
    if request.save_degraded is not None:
        _check_output(request.save_degraded, LIST, overwrite=request.overwrite)
    images = find_images(request.images, request)
    others = find_images(request.fit, request) if request.fit else []
    common = {x.path for x in images} & {x.path for x in others}
    if common:
        raise RequestError(
            f"expected other images for --fit than those scored, got {min(common)} in both"
        )
    weights = request.perceptual_weights
    distance = FeatureDistance.of(weights)
    upscalers = networks(request.models, alpha=request.alpha, allow_pickle=request.allow_pickle)
    tables = _fit(images, others, request, progress)
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(_new_folder(request.out, _RECORD, request))
        kept = None
        if request.save_degraded is not None:
            kept = stack.enter_context(_new_folder(request.save_degraded, LIST, request))
        scores, examples = _restore(
            images, tables, upscalers, distance, request, kept=kept, progress=progress
        )
        settings = _settings(request, images, others, distance.name)
        _write(out, scores, examples, tables, settings)
    return request.out / "report.md"


def _fit(
    images: Sequence[StudyImage],
    others: Sequence[StudyImage],
    request: ComparisonRequest,
    progress: Progress,
) -> _Tables:
    """Tables from bicubic enlargements to originals, at all levels together.

    Every image is read here once, so that an unfit one is refused before the long part.
    """
    parts = []
    every = [*others, *images]
    for done, image in enumerate(every):
        pixels = image.read()
        if others and image in images:
            continue
        lows = [degrade(pixels, level, request, name=image.name) for level in request.levels]
        parts.append(reduce(add, (LutFit.of(bicubic(low), pixels) for low in lows)))
        progress("fitting the lookup table", done + 1, len(every))
    progress("fitting the lookup table", len(every), len(every))
    total = reduce(add, parts)
    if others:
        lut = total.solve()
        return _Tables([lut] * len(images), lut, "")
    if len(images) == 1:
        return _Tables([], None, "it needs other images than the scored one; name some with --fit")
    return _Tables([(total - part).solve() for part in parts], total.solve(), "")


def _restore(
    images: Sequence[StudyImage],
    tables: _Tables,
    upscalers: Sequence[Method],
    distance: FeatureDistance,
    request: ComparisonRequest,
    *,
    kept: Path | None,
    progress: Progress,
) -> tuple[Scores, list[list[Example]]]:
    classical = classical_methods()
    chosen = set(np.linspace(0, len(images) - 1, min(_EXAMPLES, len(images))).round().astype(int))
    # The worst level and the best one, as listed, say enough about crops.
    drawn = {request.levels[0], request.levels[-1]}
    values, seconds, sizes, examples = [], [], [], []
    for number, image in enumerate(images):
        original = image.read()
        sizes.append(original.shape[:2])
        lows = {x: degrade(original, x, request, name=image.name) for x in request.levels}
        fitted = [lut_method(tables.each[number])] if tables.each else []
        methods = [*classical, *fitted, *upscalers]
        row, col = liveliest(original)
        found = []
        for level, low in lows.items():
            pictures: dict[str, Image] = {}
            for method in methods:
                start = time.perf_counter()
                restored = method.run(low)
                seconds.append(time.perf_counter() - start)
                values.append(list(score(restored, original, distance.between).values()))
                pictures[method.name] = _crop(restored, row, col)
            if number in chosen and level in drawn:
                small = _crop(low, row // SCALE, col // SCALE, CROP_PX // SCALE)
                crop = _crop(original, row, col)
                found.append(Example(image.name, level_name(level), crop, small, pictures))
        if found:
            examples.append(found)
        if kept is not None:
            eight_bit = image.eight_bit
            keep_degraded(kept, image.name, original, lows, request, eight_bit=eight_bit)
        progress("restoring", number + 1, len(images))
    shape = (len(images), len(request.levels), len(methods))
    scores = Scores(
        [image.name for image in images],
        sizes,
        request.levels,
        methods,
        np.array(values).reshape(*shape, -1),
        np.array(seconds).reshape(shape),
    )
    return scores, examples


def _crop(image: Image, row: int, col: int, side: int = CROP_PX) -> Image:
    return image[row : row + side, col : col + side].copy()


def _write(
    out: Path,
    scores: Scores,
    examples: Sequence[Sequence[Example]],
    tables: _Tables,
    settings: dict[str, Any],
) -> None:
    summaries = summarise(scores, seed=settings["seed"])
    left_out = {} if tables.each else {LUT: tables.reason}
    record = {**settings, "left_out": left_out, **as_record(scores, summaries)}
    write_text(out / "comparison.csv", as_csv(scores))
    write_text(out / _RECORD, json.dumps(strict(record), indent=1, allow_nan=False))
    curves = None
    if len(scores.levels) > 1:
        curves_figure(scores, summaries).savefig(
            out / "curves.png", dpi=_DPI, metadata={"Software": None}
        )
        with Pictures.open(out / "curves.png") as picture:
            curves = picture.convert("RGB")
    crops = [crops_sheet(part) for part in examples]
    for part, sheet in zip(examples, crops, strict=True):
        sheet.save(out / f"crops_{part[0].image}.png")
    page = comparison_page(
        scores, summaries, curves=curves, crops=crops, left_out=left_out, settings=settings
    )
    write_text(out / "report.html", page)
    if tables.kept is not None:
        write_cube(tables.kept, out / "lut.cube", title="landcast compare")
    write_text(out / "report.md", _report(scores, summaries, left_out))


def _report(scores: Scores, summaries: Sequence[Summary], left_out: dict[str, str]) -> str:
    missing = "".join(f"{name} is left out: {reason}.\n\n" for name, reason in left_out.items())
    return (
        f"# Restoration of degraded images\n\n{counted(len(scores.images), 'image')}, "
        f"{summaries[0].level}: "
        f"means with 95 % intervals over images.\n\n{as_markdown(scores, summaries)}\n\n"
        "Better and worse than bicubic stand where the interval of the paired difference excludes "
        "zero. Mean ranks are by SSIM / PSNR / perceptual distance; 1 is the best. Methods that "
        f"change brightness or colour on purpose: "
        f"{', '.join(m.name for m in scores.methods if m.retones)}.\n\n{missing}"
    )


def _settings(
    request: ComparisonRequest,
    images: Sequence[StudyImage],
    others: Sequence[StudyImage],
    distance: str,
) -> dict[str, Any]:
    return {
        "files": [Path(image.path).name for image in images],
        "fit": [Path(image.path).name for image in others],
        "models": list(request.models) or "all shipped ones",
        "alpha": request.alpha,
        "jpeg": [level_name(level) for level in request.levels],
        "noise": request.noise,
        "blur_px": request.blur_px,
        "scale": SCALE,
        "crop_px": request.crop_px,
        "seed": request.seed,
        "perceptual_distance": distance,
        "threads": {"torch": torch.get_num_threads(), "opencv": cv2.getNumThreads()},
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }


def _check_output(folder: Path, mark: str, *, overwrite: bool) -> None:
    check_place(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / mark).is_file():
        raise OutputExistsError(
            f"expected a new or empty folder or an earlier comparison, {folder} holds other files"
        )
    if not overwrite:
        raise OutputExistsError(
            f"expected a new folder, {folder} holds an earlier comparison; choose another or pass "
            "--overwrite"
        )


@contextlib.contextmanager
def _new_folder(folder: Path, mark: str, request: ComparisonRequest) -> Iterator[Path]:
    """A folder to fill, which takes its place when all went well."""
    folder = folder.resolve()
    with owned_file(folder, parents=True):
        _check_output(folder, mark, overwrite=request.overwrite)  # another run may have ended
        remove_partials_of(folder)
        part = partial_path(folder)
        part.mkdir()
        try:
            yield part
            shutil.rmtree(folder, ignore_errors=True)
            part.replace(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
