"""The sound of a film that is upscaled, track by track."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

__all__ = ["Sound"]

_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "flac", "opus")
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1"}
"""What AAC holds, by number of channels; more become stereo."""


class Sound:
    """One track of sound: copied where the result can hold its codec, else made AAC.

    Args:
        path: The film it is of.
        index: Of its stream.
        out: Container that is written.
    """

    def __init__(self, path: Path, index: int, out: Any) -> None:
        self._path, self._index = path, index
        with av.open(str(path.absolute())) as film:
            stream = film.streams[index]
            context: Any = stream.codec_context
            self._copied = context.codec.canonical_name in _COPIED and _holds(
                out.format.name, stream
            )
            if self._copied:
                self._stream = out.add_stream_from_template(stream)
            else:
                self._stream = out.add_stream("aac", rate=context.sample_rate)
                self._stream.codec_context.layout = _layout(context)
            for key in ("language", "title"):
                if key in stream.metadata:
                    self._stream.metadata[key] = stream.metadata[key]

    def packets(self) -> Iterator[tuple[float, Any]]:
        """Packets with their times in seconds."""
        with av.open(str(self._path.absolute())) as film:
            source = film.streams[self._index]
            if self._copied:
                for packet in film.demux(source):
                    if packet.dts is not None:
                        packet.stream = self._stream
                        yield float(packet.dts * packet.time_base), packet
                return
            context: Any = source.codec_context
            convert = av.AudioResampler("fltp", _layout(context), context.sample_rate)
            frames: Iterator[Any] = itertools.chain(film.decode(source), [None])
            for frame in frames:
                for converted in [*convert.resample(frame), *([None] if frame is None else [])]:
                    for packet in self._stream.encode(converted):
                        yield float(packet.dts * packet.time_base), packet


def _holds(kind: str, stream: Any) -> bool:
    """Whether containers of a kind take the packets of a stream as they are."""
    try:
        with av.open(io.BytesIO(), "w", format=kind) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


def _layout(context: Any) -> str:
    return _LAYOUTS.get(context.channels, "stereo")
