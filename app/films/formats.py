"""Pictures into the files of a film: H.264, GIF, WebP."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

__all__ = ["write_gif", "write_mp4", "write_webp"]

_SETTLED = 600  # pixels of the sample that may still change their colour when k-means stops
_RATES = (10, 20, 25, 40, 50, 100)
_BAYER = np.array([[0, 2], [3, 1]], dtype=np.float32)


def write_mp4(pictures: list[NDArray[np.uint8]], seconds: list[float], path: Path) -> None:
    """H.264, 4:2:0, BT.709 stated and used: players that guess show the right colours too."""
    height, width = pictures[0].shape[:2]
    even = ((0, height % 2), (0, width % 2), (0, 0))
    with av.open(str(path.absolute()), "w", options={"movflags": "+faststart"}) as container:
        rate = _frame_rate(seconds)
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "17", "preset": "medium", "tune": "stillimage"}
        context: Any = stream.codec_context
        context.thread_count = 1  # More encode in another order: other bytes on other machines.
        context.colorspace, context.color_range = 1, 1
        context.color_primaries, context.color_trc = 1, 1
        clock = 0
        for picture, hold in zip(pictures, seconds, strict=True):
            rgb = av.VideoFrame.from_ndarray(np.pad(picture, even, mode="edge"), format="rgb24")
            frame = rgb.reformat(
                format="yuv420p",
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                dst_colorspace=Colorspace.ITU709,
            )
            for _ in range(max(1, round(hold * rate))):
                frame.pts, frame.time_base = clock, Fraction(1, rate)
                container.mux(stream.encode(frame))
                clock += 1
        container.mux(stream.encode())


def _frame_rate(seconds: list[float]) -> int:
    """The fewest frames a second that last as long as the pictures are to stay."""

    def missed(rate: int) -> float:
        return max(abs(max(1, round(hold * rate)) / rate - hold) for hold in seconds)

    return next((rate for rate in _RATES if missed(rate) < 1e-3), _RATES[-1])


def write_gif(pictures: list[NDArray[np.uint8]], seconds: list[float], path: Path) -> None:
    """One palette for all years and ordered dithering: ground that stays, stays still."""
    step = max(1, round((sum(p.shape[0] * p.shape[1] for p in pictures) / 60_000) ** 0.5))
    sample = Image.fromarray(np.concatenate([p[::step, ::step] for p in pictures], axis=0))
    palette = sample.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=_SETTLED)
    height, width = pictures[0].shape[:2]
    pattern = _bayer(8)[np.arange(height)[:, None] % 8, np.arange(width)[None, :] % 8]
    offset = (pattern[..., None] - 0.5) * 12.0
    indexed = [
        Image.fromarray(np.clip(np.rint(p + offset), 0, 255).astype(np.uint8)).quantize(
            palette=palette, dither=Image.Dither.NONE
        )
        for p in pictures
    ]
    indexed[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[round(s * 1000) for s in seconds],
        loop=0,
        optimize=False,
    )


def write_webp(pictures: list[NDArray[np.uint8]], seconds: list[float], path: Path) -> None:
    """Animated WebP, lossy."""
    images = [Image.fromarray(picture) for picture in pictures]
    images[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=[round(s * 1000) for s in seconds],
        loop=0,
        quality=88,
        method=4,
    )


def _bayer(size: int) -> NDArray[np.float32]:
    """Ordered dithering thresholds of Bayer (1973), `(size, size)`, 0..1."""
    pattern = _BAYER
    while pattern.shape[0] < size:
        pattern = np.block([[4 * pattern + k for k in row] for row in _BAYER])
    return np.asarray((pattern + 0.5) / pattern.size, dtype=np.float32)
