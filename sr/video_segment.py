"""A short run of encoded frames in a file of its own, so that a film can be continued."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

__all__ = ["SegmentWriter"]


class SegmentWriter:
    """Encodes frames to H.264, 4:2:0, BT.709, without frames that look ahead.

    So each packet has the time of its frame, and segments can be laid end to end. The file is
    `segment_{name}_{time of the first frame}_{time base}.mp4` when complete.

    Args:
        folder: Where to write.
        name: Number of the segment; names sort in the order of the film.
        height: Rows, even.
        width: Columns, even.
        start: Time of the first frame in units of `base`.
        base: Time base of the film in seconds.
        rate: Frames a second, for the encoder's rate control.
        aspect: Width of a pixel over its height.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        height: int,
        width: int,
        start: int,
        base: Fraction,
        rate: Fraction,
        aspect: Fraction,
    ) -> None:
        stem = f"segment_{name}_{start}_{base.numerator}_{base.denominator}"
        self._final = folder / f"{stem}.mp4"
        self._part = folder / f".{stem}.mp4"
        self._start, self._base = start, base
        self._container = av.open(str(self._part), "w")
        self._stream = self._container.add_stream("libx264", rate=rate)
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "16", "preset": "medium", "bf": "0"}
        context: Any = self._stream.codec_context
        context.time_base = base
        context.sample_aspect_ratio = aspect
        context.colorspace, context.color_range = 1, 1
        context.color_primaries, context.color_trc = 1, 1

    def add(self, pixels: NDArray[np.uint8], pts: int) -> None:
        """Encode a frame `(height, width, 3)`, shown at `pts`."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24").reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
        )
        frame.pts, frame.time_base = pts - self._start, self._base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode())
        self._container.close()
        os.replace(self._part, self._final)
