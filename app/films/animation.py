"""Years as a film: the year burnt in, forecasts marked as such, a time line below."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.films.caption import captioned
from app.films.formats import write_gif, write_mp4, write_webp
from app.forecasts.results import ForecastFolder, display_image, shown
from forecast.region.earlier import check_common_ground
from preprocessing.errors import DateError, RequestError, UnknownRangeError
from preprocessing.rasters.image_source import FileImage
from preprocessing.rasters.io import RasterSource
from preprocessing.registration.alignment import lay_over
from preprocessing.running.executor import in_threads
from preprocessing.running.output_lock import owned_file
from preprocessing.running.partial_files import partial_path, remove_partials_of

__all__ = ["FORMATS", "AnimationFormatError", "Frame", "animate", "animate_folder", "state_frames"]

_WRITERS = {".mp4": write_mp4, ".gif": write_gif, ".webp": write_webp}
FORMATS = tuple(_WRITERS)
MAX_SIZE = 1080
_MIN_SIZE = 480
_LAST_HOLD = 2.0


class AnimationFormatError(RequestError):
    """The name of an animation does not end in a format that can be written."""


@dataclass(frozen=True)
class Frame:
    """One year.

    Attributes:
        image: `(h, w, 3)` uint8 RGB.
        year: Calendar year, burnt in.
        forecast: Whether the picture is a forecast rather than an observation.
    """

    image: NDArray[np.uint8]
    year: int
    forecast: bool


def animate(
    frames: Iterable[Frame],
    out: str | Path,
    *,
    seconds_per_year: float = 1.0,
    max_size: int = MAX_SIZE,
) -> Path:
    """Write an animation, one picture a year in the order given, the last held longer.

    The years cut, they do not fade: a blend of two years would be a picture of no year.

    Args:
        frames: Pictures of one size.
        out: `.mp4` (H.264), `.gif` or `.webp`; its folder must exist.
        seconds_per_year: How long each picture stays.
        max_size: Longer side of the pictures in the film. Small pictures are enlarged.

    Returns:
        The path written.

    Raises:
        AnimationFormatError: Another ending.
        ValueError: No frames, or frames of different sizes.
    """
    out = Path(out)
    check_format(out)
    if seconds_per_year <= 0:
        raise ValueError(f"expected more than 0 seconds a year, got {seconds_per_year}")
    pictures = _render(list(frames), max_size)
    seconds = [seconds_per_year] * (len(pictures) - 1) + [seconds_per_year * _LAST_HOLD]
    write = _WRITERS[out.suffix.lower()]
    with owned_file(out):
        remove_partials_of(out)
        temporary = partial_path(out)
        try:
            write(pictures, seconds, temporary)
            os.replace(temporary, out)
        finally:
            temporary.unlink(missing_ok=True)
    return out


def animate_folder(
    folder: str | Path | ForecastFolder,
    out: str | Path,
    *,
    past: Sequence[str | Path] = (),
    seconds_per_year: float = 1.0,
    max_size: int = MAX_SIZE,
) -> Path:
    """Animate a finished forecast: the past images if given, the start image, each year after.

    Args:
        folder: The result of a forecast.
        out: `.mp4`, `.gif` or `.webp`.
        past: Earlier images of the same ground with their years in metadata or names; they are
            laid over the start, whatever their grid.
        seconds_per_year: How long each picture stays.
        max_size: Longer side of the pictures in the film.

    Raises:
        RequestError: The folder is no result, the format is unknown, or a past image has no
            year, is not earlier than the start, or shows other ground.
    """
    out = Path(out)
    check_format(out)
    if not out.parent.is_dir():
        raise RequestError(f"expected an existing folder for {out.name}, found no {out.parent}")
    result = folder if isinstance(folder, ForecastFolder) else ForecastFolder.open(folder)
    states = {year: result.path("forecast", year) for year in (result.start_year, *result.years)}
    frames = state_frames(states, result.value_range, max_size=max_size)
    before = [_past_frame(path, result, max_size) for path in past]
    before.sort(key=lambda frame: frame.year)
    return animate(before + frames, out, seconds_per_year=seconds_per_year, max_size=max_size)


def state_frames(
    states: Mapping[int, Path],
    value_range: tuple[float, float],
    *,
    max_size: int = MAX_SIZE,
    threads: int = 1,
) -> list[Frame]:
    """The pictures of a film of a forecast.

    Args:
        states: By year, that of the start first.
        value_range: Stored values that mean black and white.
        max_size: Longer side of the pictures.
        threads: Years that are read side by side.
    """

    def read(path: Path) -> NDArray[np.uint8]:
        return display_image(path, value_range, max_size)

    pictures = in_threads(read, list(states.values()), threads)
    start = min(states)
    return [
        Frame(picture, year, forecast=year > start)
        for year, picture in zip(states, pictures, strict=True)
    ]


def check_format(out: Path) -> None:
    """Refuse a name that does not end in one of `FORMATS`."""
    if out.suffix.lower() not in FORMATS:
        raise AnimationFormatError(
            f"expected an animation ending in .mp4, .gif or .webp, got {out.name}; rename --out"
        )


def _past_frame(path: str | Path, result: ForecastFolder, max_size: int) -> Frame:
    present = RasterSource.open(result.present, value_range=result.value_range, year=1)
    source = _read_as_asked(path, present, result)
    if source.date is None or source.date.year >= result.start_year:
        found = "no year" if source.date is None else str(source.date.year)
        raise DateError(
            f"expected a past image from before {result.start_year}, got {found} for {path}; "
            "put its year into the file name"
        )
    check_common_ground(present, [source])
    _, laid = lay_over(FileImage.of(present), FileImage.of(source), present.grid)
    return Frame(shown(laid, max_size), source.date.year, forecast=False)


def _read_as_asked(path: str | Path, present: RasterSource, result: ForecastFolder) -> RasterSource:
    """A past image with the bands of the forecast, and its values where it is of that type."""
    asked = result.run.get("arguments", {})
    how = {"bands": asked.get("bands"), "sensor": asked.get("sensor")}
    source = RasterSource.open(path, value_range=result.value_range, **how)
    if source.encoding.dtype == present.encoding.dtype:
        return source
    try:
        return RasterSource.open(path, value_range=asked.get("value_range"), **how)
    except UnknownRangeError as err:
        raise UnknownRangeError(
            f"expected a past image of {present.encoding.dtype} pixels like the forecast, or one "
            f"with a tag VALUE_RANGE=low,high, got {source.encoding.dtype} in {path}"
        ) from err


def _render(frames: list[Frame], max_size: int) -> list[NDArray[np.uint8]]:
    if not frames:
        raise ValueError("expected at least one frame, got none")
    shape = frames[0].image.shape
    for frame in frames:
        if frame.image.shape != shape or frame.image.dtype != np.uint8:
            raise ValueError(
                f"expected frames of {shape} uint8, got {frame.image.shape} "
                f"{frame.image.dtype} for {frame.year}"
            )
    scale = min(max(1.0, _MIN_SIZE / max(shape[:2])), max_size / max(shape[:2]))
    width, height = max(2, round(shape[1] * scale)), max(2, round(shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    years = [(frame.year, frame.forecast) for frame in frames]
    return [
        captioned(
            cv2.resize(frame.image, (width, height), interpolation=way).astype(np.uint8),
            index,
            years,
        )
        for index, frame in enumerate(frames)
    ]
