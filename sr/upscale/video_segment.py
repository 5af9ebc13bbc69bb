"""A short run of encoded frames in a file of its own, so that a film can be continued."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from preprocessing.running.files import write_text

__all__ = ["SegmentWriter", "read_times", "times_of"]


class SegmentWriter:
    """Encodes frames to H.264, 4:2:0, BT.709, without frames that look ahead.

    So packets come in the order of their frames, and segments can be laid end to end. In the file,
    `segment_{name}.mp4` when complete, frames follow each other at `rate`, which the encoder writes
    into the stream; the times they have in the film are in `segment_{name}.json`.

    Args:
        folder: Where to write.
        name: Number of the segment; names sort in the order of the film.
        shape: Rows and columns, even.
        base: Time base of the film in seconds.
        rate: Frames a second.
        aspect: Width of a pixel over its height.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        shape: tuple[int, int],
        base: Fraction,
        rate: Fraction,
        aspect: Fraction,
    ) -> None:
        self._final = folder / f"segment_{name}.mp4"
        self._part = folder / f".segment_{name}.mp4"
        self._base, self._rate = base, rate
        self._times: list[int] = []
        self._container = av.open(str(self._part.absolute()), "w")
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.height, self._stream.width = shape
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "16", "preset": "medium", "bf": "0"}
        context: Any = self._stream.codec_context
        context.time_base = 1 / rate
        context.sample_aspect_ratio = aspect
        context.colorspace, context.color_range = 1, 1
        context.color_primaries, context.color_trc = 1, 1

    def add(self, pixels: NDArray[np.uint8], pts: int) -> None:
        """Encode a frame `(height, width, 3)`, shown at `pts` in units of the film's time base."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
        )
        frame.pts, frame.time_base = len(self._times), 1 / self._rate
        self._times.append(pts)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the files."""
        self._container.mux(self._stream.encode())
        self._container.close()
        base = [self._base.numerator, self._base.denominator]
        write_text(times_of(self._final), json.dumps({"base": base, "times": self._times}))
        os.replace(self._part, self._final)


def times_of(segment: Path) -> Path:
    """The file that holds the times of a segment's frames."""
    return segment.with_suffix(".json")


def read_times(segment: Path) -> tuple[Fraction, list[int]]:
    """Time base of the film and the times of a segment's frames, in its units."""
    stored = json.loads(times_of(segment).read_text(encoding="utf-8"))
    return Fraction(*stored["base"]), stored["times"]
