"""`landcast demo`: a scene with a known future is made, forecast, scored and shown."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.forecasts.outputs import Progress
from app.forecasts.overview import draw_overview
from app.forecasts.request import ForecastRequest
from app.forecasts.results import ForecastFolder
from app.forecasts.run import forecast_region
from forecast.baselines import DressedPersistence
from forecast.evaluation.cases.pairs import pair_baselines, pair_case
from forecast.evaluation.methods.forecast import PlaceForecast
from forecast.evaluation.scores.catalogue import SCORES
from forecast.evaluation.scores.harm import Harm
from forecast.evaluation.scores.probabilistic import Observations
from forecast.evaluation.scores.statistic import Array
from forecast.evaluation.scoring import score_case, scores_of
from forecast.pretrained import model_folder
from preprocessing.errors import OutputExistsError, RequestError
from preprocessing.radiometry.histogram_matching import match_histogram
from preprocessing.rasters.io import read_raster
from preprocessing.rasters.raster import Raster
from preprocessing.registration.alignment import align
from preprocessing.registration.coregister import apply_shift, estimate_shift
from preprocessing.running.files import write_text
from preprocessing.running.output_lock import contents, owned_folder
from preprocessing.running.partial_files import remove_partials_in
from preprocessing.series import PlaceSeries
from preprocessing.simulator import WorldConfig, simulate_world, write_world
from preprocessing.tiles.cells import cell_means

__all__ = ["DEMO_SEED", "DemoResult", "demo_scene", "run_demo"]

DEMO_SEED = 90_001
_MARK = ".landcast-demo"
_YEARS = 13
_FORECAST_YEARS = 5
_MEMBERS = 8
_SIDE = 384


@dataclass(frozen=True)
class DemoResult:
    """What the demo made.

    Attributes:
        folder: Everything it wrote.
        scene: Folder of the yearly GeoTIFFs of the demo world.
        table: Scores beside those of the baselines, in Markdown.
        overview: One picture: past, present, forecast, truth, spread, change probability.
    """

    folder: Path
    scene: Path
    table: str
    overview: Path


def demo_scene(folder: Path, *, seed: int = DEMO_SEED) -> list[Path]:
    """Write the yearly images of a demo scene that no model was trained on.

    Training and validation worlds have seeds below `DEMO_SEED` (`docs/training.md`).

    Returns:
        GeoTIFFs by year, oldest first.
    """
    config = WorldConfig(height=_SIDE, width=_SIDE, years=_YEARS, seed=seed)
    write_world(simulate_world(config), folder, split="test")
    return sorted(folder.glob("scene_*.tif"))


def run_demo(
    out: Path, *, seed: int = DEMO_SEED, workers: int = 1, progress: Progress | None = None
) -> DemoResult:
    """Make a scene, forecast its last years from an earlier one, score and draw the result.

    Args:
        out: New or empty folder, or an earlier demo, which is replaced.
        seed: Of the demo world.
        workers: Processes that share the members.
        progress: Called with `(stage, done, total)`.

    Raises:
        OutputExistsError: `out` holds something else.
        RequestError: The seed is one a model may have been trained on.
    """
    if seed < DEMO_SEED:
        raise RequestError(
            f"expected a --seed of {DEMO_SEED} or more, got {seed}; models are trained on worlds "
            "of lower seeds"
        )
    with owned_folder(out):
        if contents(out) and not (out / _MARK).is_file():
            raise OutputExistsError(
                f"expected a new folder or an earlier demo for --out, {out} holds other files"
            )
        remove_partials_in(out)
        return _demo(out, seed=seed, workers=workers, progress=progress)


def _demo(out: Path, *, seed: int, workers: int, progress: Progress | None) -> DemoResult:
    """Make the demo in a folder that this process owns."""
    write_text(out / _MARK, "made by landcast demo\n")
    for part in ("scene", "forecast"):
        shutil.rmtree(out / part, ignore_errors=True)
    if progress is not None:
        progress("making the scene", 0, 1)
    scenes = demo_scene(out / "scene", seed=seed)
    if progress is not None:
        progress("making the scene", 1, 1)
    start = scenes[-1 - _FORECAST_YEARS]
    request = ForecastRequest(
        images=tuple(scenes[:-_FORECAST_YEARS]),
        out=out / "forecast",
        years=_FORECAST_YEARS,
        members=_MEMBERS,
        save_members=True,
        save_observations=True,
        workers=workers,
    )
    result = forecast_region(request, progress=progress)
    truths = [_truth(start, path) for path in scenes[-_FORECAST_YEARS:]]
    table = _score(result, truths)
    write_text(out / "scores.md", table + "\n")
    overview = draw_overview(
        result, past=read_raster(scenes[0]), truth=truths[-1], path=out / "overview.png"
    )
    return DemoResult(out, out / "scene", table, overview)


def _truth(start: Path, later: Path) -> Raster:
    """The true later image, laid on the start and matched to its colours."""
    first, second = align(read_raster(start), read_raster(later))
    shift = estimate_shift(first, second)
    if shift.reliable:
        second = apply_shift(second, shift)
    both = first.valid & second.valid
    matched = match_histogram(second.data, first.data, source_valid=both, reference_valid=both)
    return replace(second, data=matched)


def _score(result: ForecastFolder, truths: list[Raster]) -> str:
    present = read_raster(result.present)
    lines = [
        "| year | method | CRPS | RMSE | spread-skill |",
        "|---|---|---|---|---|",
    ]
    statistics = [Harm(), Observations(seed=0)]
    dressed = DressedPersistence.load(model_folder())
    total: dict[str, dict[str, Array]] = {}
    for horizon, (year, truth) in enumerate(zip(result.years, truths, strict=True), start=1):
        paths = sorted((result.folder / "observations").glob(f"*_{year}.tif"))
        members = np.stack([255 * cell_means(read_raster(path).data) for path in paths])
        past = PlaceSeries(
            "demo",
            "worlds",
            "test",
            present.grid.gsd_m or float("nan"),
            np.array([float(result.years[0] - 1)]),
            _bytes(present)[None],
            (truth.valid & present.valid)[None],
        )
        case = pair_case(past, _bytes(truth), years=float(horizon))
        methods = pair_baselines(dressed, members=len(members), seed=0)
        forecasts = {method.name: method.forecast(case) for method in methods}
        for method, forecast in {"landcast": PlaceForecast(members=members), **forecasts}.items():
            if forecast is not None:
                sums = score_case(forecast, case, statistics)
                before = total.get(method, {name: np.zeros_like(row) for name, row in sums.items()})
                total[method] = {name: before[name] + row for name, row in sums.items()}
                lines.append(_row(str(year), method, scores_of(sums, statistics)))
    lines += [_row("all", method, scores_of(sums, statistics)) for method, sums in total.items()]
    note = (
        "What a sensor would see, in grey levels of 255 on 4x4 means, after laying the truth on "
        "the start image and matching its colours; lower is better. Spread-skill 1 is calibrated."
    )
    return "\n".join([*lines, "", note])


def _row(year: str, method: str, score: dict[str, float]) -> str:
    told = ("crps", "rmse", "spread_skill")
    values = " | ".join(SCORES[name].shown(score[name]) for name in told)
    return f"| {year} | {method} | {values} |"


def _bytes(raster: Raster) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * raster.data.clip(0, 1)), np.uint8)
