"""Upscaling a film frame by frame: no frames on disk, times and sound kept, resumable."""

from __future__ import annotations

import heapq
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from preprocessing.errors import LandcastError, MissingFileError, RequestError
from preprocessing.rasters.raster import Encoding
from preprocessing.running.progress import Progress, untold
from sr.upscale.bands import Upscaler
from sr.upscale.video_segment import SegmentWriter, read_times
from sr.upscale.video_sound import Sound

__all__ = ["VIDEO_FORMATS", "VideoError", "VideoJob", "is_video"]

_log = logging.getLogger(__name__)
VIDEO_FORMATS = (".mp4", ".m4v", ".mov", ".mkv")
_READ_ONLY = (".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".ts")
_SEGMENT = 24
_HDR = {16: "PQ", 18: "HLG"}
_UNSPECIFIED = 2
_CUT_SHARE, _CUT_FRAMES = 0.05, 3
"""More than both may be missing at the end of a film only if it is cut off."""
_HIGH_DEFINITION = 720
_METADATA = ("title", "artist", "date", "comment", "creation_time")
_BYTES = Encoding()


class VideoError(RequestError):
    """A file is no film that can be read or written here."""


def is_video(path: Path) -> bool:
    """Whether the name is one of a film."""
    return path.suffix.lower() in VIDEO_FORMATS + _READ_ONLY


class VideoJob:
    """A film to upscale. Its rotation is applied to the pixels, its sound is copied.

    Args:
        path: Anything FFmpeg decodes, animated GIF and PNG too.
        out: The result, `.mp4`, `.m4v`, `.mov` or `.mkv`: H.264, 8 bit.
        upscaler: The network.

    Raises:
        MissingFileError: There is no such film.
        VideoError: It has no pictures, or is HDR, or the result has another ending.
    """

    def __init__(self, path: Path, out: Path, upscaler: Upscaler) -> None:
        if out.suffix.lower() not in VIDEO_FORMATS:
            raise VideoError(
                f"expected a film ending in {', '.join(VIDEO_FORMATS)}, got {out.name}"
            )
        if not path.is_file():
            raise MissingFileError(f"expected a film, found nothing at {path}")
        if path.suffix.lower() == ".webp":
            raise VideoError(
                f"expected a film that FFmpeg reads, {path} is an animated WebP; save it as GIF, "
                "APNG or film first"
            )
        self.path, self.out, self.upscaler = path, out, upscaler
        self._told = False
        try:
            with av.open(str(path.absolute())) as film:
                if not film.streams.video:
                    raise VideoError(f"expected a film, {path} has no pictures")
                stream = film.streams.video[0]
                self._frames = stream.frames or _estimated_frames(film, stream)
                self._seconds = _stated_seconds(stream)
                transfer = stream.codec_context.color_trc
        except FFmpegError as err:
            raise VideoError(
                f"expected a film that FFmpeg reads, {path} is damaged or of another kind ({err}); "
                "fetch or export it again"
            ) from err
        if transfer in _HDR:
            raise VideoError(
                f"expected a film of standard dynamic range, {path} is {_HDR[transfer]}; "
                "tone-map it first, e.g. with ffmpeg and its filter tonemap"
            )

    def run(self, folder: Path, progress: Progress = untold) -> Path:
        """Upscale and write.

        Args:
            folder: For finished segments of 24 frames, and for the film until it is complete.
            progress: Called with `("upscaling", frames done, frames in all)`.

        Raises:
            LandcastError: A frame is damaged; finished segments stay in `folder`.
        """
        part = folder / f"film{self.out.suffix.lower()}"
        try:
            last_s = self._upscale(folder, progress)
        except FFmpegError as err:
            raise LandcastError(
                f"expected readable frames in {self.path}, FFmpeg says: {err}; "
                "repair the film and run again with --resume"
            ) from err
        try:
            self._join(sorted(folder.glob("segment_*.mp4")), part, last_s)
        except FFmpegError as err:
            raise LandcastError(
                f"expected sound in {self.path} that goes into {self.out.name} with the pictures, "
                f"FFmpeg says: {err}; repair the film, or choose another ending for --out"
            ) from err
        os.replace(part, self.out)
        return self.out

    def _upscale(self, folder: Path, progress: Progress) -> float:
        """Make the segments that are missing; a segment is under its name when complete.

        Returns:
            Seconds that the last frame is shown.
        """
        done = {path.stem.split("_")[1] for path in folder.glob("segment_*.mp4")}
        index, last = -1, None
        writer: SegmentWriter | None = None
        with av.open(str(self.path.absolute())) as film:
            stream = film.streams.video[0]
            stream.thread_type = "AUTO"
            rate = stream.average_rate or Fraction(25)
            base = stream.time_base or 1 / rate
            untimed = film.format.name == "avi"  # which knows no time but that of decoding
            first, shown, held = None, 0.0, 0.0
            for index, frame in enumerate(film.decode(stream)):
                usual = 0 if last is None else last + max(1, round(1 / (rate * base)))
                pts = usual if frame.pts is None or untimed else int(frame.pts)
                last = pts = pts if last is None else max(pts, last + 1)
                first = pts if first is None else first
                held = _duration(frame, rate)
                shown = float((pts - first) * base) + held
                name = f"{index // _SEGMENT:06}"
                if name not in done:
                    pixels = self._frame(frame)
                    if writer is None:
                        writer = SegmentWriter(
                            folder,
                            name,
                            shape=pixels.shape[:2],
                            base=base,
                            rate=rate,
                            aspect=_aspect(stream, frame),
                        )
                    writer.add(pixels, pts)
                    if index % _SEGMENT == _SEGMENT - 1:
                        writer.close()
                        writer = None
                progress("upscaling", index + 1, max(self._frames, index + 1))
        if writer is not None:
            writer.close()
        if index < 0:
            raise VideoError(f"expected a film, {self.path} has no frames")
        self._refuse_cut(shown, float(rate))
        # Some containers only estimate how many there are.
        progress("upscaling", index + 1, index + 1)
        return held

    def _refuse_cut(self, shown: float, rate: float) -> None:
        """Raise where the pictures end long before the film says they do."""
        if self._seconds - shown > max(_CUT_SHARE * self._seconds, _CUT_FRAMES / rate):
            raise LandcastError(
                f"expected {self._seconds:.1f} seconds of pictures in {self.path}, those that can "
                f"be read last {shown:.1f}: the film is cut off or damaged; fetch it again, or "
                "save what is whole as a film of its own (ffmpeg -i FILM -c copy PART)"
            )

    def _check_frame(self, frame: Any) -> None:
        """Refuse what is seen through, which H.264 cannot hold; tell of lines of two moments."""
        if any(part.is_alpha for part in frame.format.components):
            opacity = frame.reformat(format="rgba").to_ndarray()[..., 3]
            if opacity.min() < 255:
                raise VideoError(
                    f"expected a film without transparency, {self.path} has some and the result "
                    "cannot; lay it over a background first, e.g. with ffmpeg and its filter "
                    "overlay"
                )
        if frame.interlaced_frame and not self._told:
            self._told = True
            _log.warning(
                "%s is interlaced: its lines are of two moments, and their combs are enlarged "
                "too; deinterlace it first, e.g. with ffmpeg -vf bwdif",
                self.path,
            )

    def _frame(self, frame: Any) -> NDArray[np.uint8]:
        """The upscaled picture of a frame, upright, with even sides as H.264 needs."""
        self._check_frame(frame)
        guessed = frame.colorspace == _UNSPECIFIED and frame.height >= _HIGH_DEFINITION
        source = {"src_colorspace": Colorspace.ITU709} if guessed else {}
        rgb = frame.reformat(format="rgb24", **source).to_ndarray()
        upright = np.rot90(rgb, round(frame.rotation / 90))
        unit = _BYTES.decode(np.ascontiguousarray(np.moveaxis(upright, -1, 0)))
        pixels = np.moveaxis(_BYTES.encode(self.upscaler.array(unit)), 0, -1)
        height, width = pixels.shape[:2]
        return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")

    def _join(self, segments: list[Path], part: Path, last_s: float) -> None:
        """One film of all segments and the sound, without encoding the pictures again."""
        options = {"movflags": "+faststart"} if part.suffix != ".mkv" else {}
        with ExitStack() as stack:
            film = stack.enter_context(av.open(str(self.path.absolute())))
            out = stack.enter_context(av.open(str(part.absolute()), "w", options=options))
            out.metadata.update({k: v for k, v in film.metadata.items() if k in _METADATA})
            with av.open(str(segments[0].absolute())) as first:
                pictures = out.add_stream_from_template(first.streams.video[0])
            sound = [Sound(self.path, stream.index, out) for stream in film.streams.audio]
            packets = [_pictures(segments, pictures, last_s), *(one.packets() for one in sound)]
            for _, packet in heapq.merge(*packets, key=lambda item: item[0]):
                out.mux(packet)


def _pictures(segments: list[Path], out: Any, last_s: float) -> Iterator[tuple[float, Any]]:
    end = read_times(segments[-1])[1][-1]
    for path in segments:
        base, times = read_times(path)
        with av.open(str(path.absolute())) as part:
            packets = (p for p in part.demux(part.streams.video[0]) if p.pts is not None)
            for packet, time in zip(packets, times, strict=True):
                packet.duration = round((packet.duration or 0) * packet.time_base / base)
                if time == end:
                    packet.duration = round(last_s / base)
                packet.stream, packet.time_base = out, base
                packet.pts = packet.dts = time
                yield float(time * base), packet


def _estimated_frames(film: Any, stream: Any) -> int:
    seconds = (film.duration or 0) / av.time_base
    return round(seconds * float(stream.average_rate or 0))


def _stated_seconds(stream: Any) -> float:
    """How long the pictures last by the film's own word; 0 where it says nothing."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    hours, minutes, seconds = (stream.metadata.get("DURATION") or "0:0:0").split(":")
    return 3600 * float(hours) + 60 * float(minutes) + float(seconds)


def _duration(frame: Any, rate: Fraction) -> float:
    """Seconds a frame is shown."""
    known = getattr(frame, "duration", 0) or 0
    return float(known * frame.time_base) if known else float(1 / rate)


def _aspect(stream: Any, frame: Any) -> Fraction:
    aspect = stream.sample_aspect_ratio or Fraction(1)
    return 1 / aspect if round(frame.rotation / 90) % 2 else aspect
