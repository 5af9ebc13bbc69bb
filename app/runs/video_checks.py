"""Whether a film that a stranger sent may be upscaled."""

from __future__ import annotations

from pathlib import Path

import av
from av.error import FFmpegError

from app.runs.settings import ServerSettings
from preprocessing.errors import TooLargeError, UnreadableRasterError

__all__ = ["FILM", "check_film"]

FILM = ".mp4"


def check_film(path: Path, settings: ServerSettings) -> None:
    """Refuse what is no MP4 film, or has too many pixels in a frame or in all frames.

    Other containers may name files and addresses that FFmpeg would open; this one may not.

    Raises:
        UnreadableRasterError: It is none by its content.
        TooLargeError: It has too many pixels.
    """
    with path.open("rb") as file:
        marked = file.read(8)[4:] == b"ftyp"
    size, frames = 0, 0
    try:
        if marked:
            with av.open(str(path), format="mp4") as film:
                stream = film.streams.video[0]
                size = stream.codec_context.width * stream.codec_context.height
                # What the header says of its length need not be so.
                frames = sum(1 for packet in film.demux(stream) if packet.size)
    except (FFmpegError, IndexError):
        size = 0
    if not size or not frames:
        raise UnreadableRasterError(
            f"expected an MP4 film, {path.name} is none by its content; export it again"
        )
    if size > settings.upscale_pixels or size * frames > settings.pixels:
        raise TooLargeError(
            f"expected a film of at most {settings.upscale_pixels:,} pixels a frame and "
            f"{settings.pixels:,} in all, {path.name} has {size:,} in each of {frames} frames; cut "
            "it or make it smaller"
        )
