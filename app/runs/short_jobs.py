"""Short jobs while somebody waits for them, one at a time: above all pictures upscaled."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from app.forecasts.results import ZONES
from app.runs.errors import QueueFullError
from app.runs.folder import RunFolder
from app.runs.process import WorkerProcess
from app.runs.settings import ServerSettings
from app.runs.video_checks import FILM, check_film
from preprocessing.errors import RequestError
from preprocessing.rasters.opening import check_upload

__all__ = ["ShortJobs"]


class ShortJobs:
    """Works with a process of its own, beside the runs.

    Args:
        settings: How many pictures may wait, and how large they may be.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._worker = WorkerProcess()
        # Threads of its own: those of the server are for answers that nobody waits long for.
        self._turns = ThreadPoolExecutor(1, "short jobs")
        self._room = threading.Semaphore(settings.queue + 1)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for a job, which goes again afterwards, and a place in the queue.

        Raises:
            QueueFullError: No further job may wait.
        """
        if not self._room.acquire(blocking=False):
            raise QueueFullError(
                f"expected at most {self._settings.queue} jobs in the queue, it is full; try again "
                "later"
            )
        try:
            with tempfile.TemporaryDirectory(prefix="landcast-job-") as folder:
                try:
                    yield Path(folder)
                except RequestError as err:  # Where the file lies is nobody's business.
                    raise type(err)(str(err).replace(f"{folder}/", "")) from err
        finally:
            self._room.release()

    def check(self, source: Path) -> None:
        """Refuse what cannot be upscaled here.

        Raises:
            TooLargeError: It has too many pixels.
            RequestError: It is no image, and no film.
        """
        if source.suffix.lower() == FILM:
            check_film(source, self._settings)
            return
        check_upload(source, most_pixels=self._settings.upscale_pixels)

    async def upscale(self, source: Path, limits: tuple[float, float] | None = None) -> Path:
        """Upscale a picture or raster four times, when its turn comes.

        Args:
            source: The file, alone in a folder.
            limits: Values of black and white of a raster that does not say them.

        Returns:
            A PNG of a picture, a GeoTIFF of what is a TIFF or JPEG 2000, an MP4 of one.

        Raises:
            RequestError: It cannot be upscaled.
        """
        kind = source.suffix.lower()
        ending = {".tiff": ".tif", ".jp2": ".tif", ".tif": ".tif", FILM: FILM}.get(kind, ".png")
        out = source.parent / "upscaled" / f"image{ending}"
        out.parent.mkdir()
        await asyncio.get_running_loop().run_in_executor(
            self._turns, self._work, source, out, limits
        )
        return out

    def upscale_now(self, source: Path, limits: tuple[float, float] | None = None) -> Path:
        """The same for a thread that may wait."""
        return asyncio.run(self.upscale(source, limits))

    def compare_now(self, images: Path, out: Path) -> Path:
        """Degrade pictures of a folder, restore them by every method, score the results.

        Returns:
            The report in Markdown, with its pictures beside it.
        """
        self._turns.submit(self._do, ["compare", str(images), str(out)]).result()
        return out / "report.md"

    def zones_now(self, folder: RunFolder, polygons: Path) -> Path:
        """Tell the area of change of zones of a forecast that is done.

        Args:
            folder: Of the run.
            polygons: A GeoPackage or GeoJSON that was checked.

        Returns:
            The folder of their tables: another one for each file of zones, so that visitors do not
            replace what others look at.

        Raises:
            RequestError: They do not fit the forecast, see `write_zones`.
        """
        out = folder.zones / hashlib.sha256(polygons.read_bytes()).hexdigest()[:16]
        if not (out / ZONES[0]).is_file():
            job = ["zones", str(folder.result), str(polygons), str(out)]
            self._turns.submit(self._do, job).result()
        return out

    def close(self) -> None:
        """End the process, whatever it does; the next picture has a new one."""
        self._worker.kill()

    def _work(self, source: Path, out: Path, limits: tuple[float, float] | None) -> None:
        self._do(["upscale", str(source), str(out), *map(repr, limits or ())])

    def _do(self, job: list[str]) -> None:
        self._worker.start()
        self._worker.run(job)
