"""Pictures upscaled while somebody waits for them, one at a time."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.runs.errors import QueueFullError
from app.runs.process import WorkerProcess
from app.runs.settings import ServerSettings
from preprocessing.rasters.opening import check_upload

__all__ = ["Upscaling"]


class Upscaling:
    """Upscales with a process of its own, beside the runs.

    Args:
        settings: How many pictures may wait, and how large they may be.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._worker = WorkerProcess()
        self._working = threading.Lock()
        self._room = threading.Semaphore(settings.queue + 1)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for a picture, which goes again afterwards, and a place in the queue.

        Raises:
            QueueFullError: No further picture may wait.
        """
        if not self._room.acquire(blocking=False):
            raise QueueFullError(
                f"expected at most {self._settings.queue} pictures in the queue, it is full; try "
                "again later"
            )
        try:
            with tempfile.TemporaryDirectory(prefix="landcast-upscale-") as folder:
                yield Path(folder)
        finally:
            self._room.release()

    def upscale(self, source: Path) -> Path:
        """Upscale a picture or raster four times.

        Args:
            source: The file, alone in a folder.

        Returns:
            A PNG of a picture, a GeoTIFF of what is a TIFF or JPEG 2000.

        Raises:
            TooLargeError: It has too many pixels.
            RequestError: It cannot be upscaled.
        """
        check_upload(source, most_pixels=self._settings.upscale_pixels)
        raster = source.suffix.lower() in (".tif", ".tiff", ".jp2")
        out = source.parent / "upscaled" / ("image.tif" if raster else "image.png")
        out.parent.mkdir()
        with self._working:
            self._worker.start()
            self._worker.run(["upscale", str(source), str(out)])
        return out

    def close(self) -> None:
        """End the process."""
        self._worker.kill()
