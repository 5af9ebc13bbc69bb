"""One year of a place: planned, read block by block, written as one file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.errors import FetchError, NoImageryError
from preprocessing.fetch.composite import masked_median
from preprocessing.fetch.grid import bounds_in_degrees, footprint_mask
from preprocessing.fetch.io import SceneReader, UnreadableSceneError
from preprocessing.fetch.request import FetchRequest
from preprocessing.fetch.scenes import Scene
from preprocessing.rasters.grid import Grid, Window
from preprocessing.rasters.io import blocks, write_cog

__all__ = ["IDENTITY_TAG", "YearPlan", "YearRun", "fetch_windows"]

IDENTITY_TAG = "FETCH_REQUEST"
_BLOCK = 1024
_HOLE_SHARE = 0.01

Block = tuple[Window, NDArray[Any], NDArray[np.bool_] | None]


@dataclass(frozen=True)
class YearPlan:
    """What is read for one year.

    Attributes:
        year: Calendar year.
        date: Date of the composite.
        scenes: To read, best first.
    """

    year: int
    date: dt.date
    scenes: tuple[Scene, ...]


@dataclass
class YearRun:
    """Reads the scenes of one year and writes its composite.

    Attributes:
        request: What is asked for.
        grid: Grid of all years.
        plan: Of this year.
        unreadable: By name of the scenes that had to be left out, the reason. A scene that fails
            is not tried again for the rest of the year: each trial may take minutes.
    """

    request: FetchRequest
    grid: Grid
    plan: YearPlan
    unreadable: dict[str, str] = field(default_factory=dict)

    def write(self, tick: Callable[[], None]) -> Path:
        """Write the composite.

        Args:
            tick: Called after each block.

        Returns:
            Path of the file.

        Raises:
            FetchError: A scene cannot be read, and nothing else shows its ground.
            NoImageryError: Every pixel is hidden by clouds.
        """
        request, profile = self.request, self.request.profile
        low, high = profile.value_range[request.composition]
        days = sorted(scene.when.date() for scene in self.plan.scenes)
        tags = {
            "ACQUISITION_DATE": self.plan.date.isoformat(),
            "VALUE_RANGE": f"{low:g},{high:g}",
            "ATTRIBUTION": profile.attribution.format(year=self.plan.year),
            "COLLECTION": request.collection,
            "CATALOGUE": request.source.url,
            "FIRST_ITEM": days[0].isoformat(),
            "LAST_ITEM": days[-1].isoformat(),
            IDENTITY_TAG: request.identity,
        }
        if profile.scale is not None:
            tags |= {
                "REFLECTANCE_SCALE": f"{profile.scale:g}",
                "REFLECTANCE_OFFSET": f"{profile.offset:g}",
            }
        return write_cog(
            request.path_of(self.plan.year),
            self.grid,
            self._blocks(tags, tick),
            count=3,
            dtype=profile.dtype,
            nodata=0,
            descriptions=profile.colours(request.composition),
            tags=tags,
        )

    def _blocks(self, tags: dict[str, str], tick: Callable[[], None]) -> Iterator[Block]:
        """Blocks of the composite; completes `tags`, which are written after the last block."""
        import shapely
        from shapely.geometry import shape

        request = self.request
        reader = SceneReader(
            request.profile,
            request.source.signing,
            timeout_s=request.timeout_s,
            retries=request.retries,
            backoff_s=request.backoff_s,
        )
        envelopes = {s.id: shapely.envelope(shape(s.footprint)) for s in self.plan.scenes}
        valid_pixels = 0
        pool = ThreadPoolExecutor(request.workers)
        try:
            for window in fetch_windows(self.grid):
                block = self.grid.crop(window)
                around = shapely.box(*bounds_in_degrees(block))
                here = [s for s in self.plan.scenes if around.intersects(envelopes[s.id])]
                values, valid = self._composite(reader, here, block, pool)
                valid_pixels += int(valid.sum())
                yield window, values, None
                tick()
        finally:
            pool.shutdown(cancel_futures=True)
        if not valid_pixels:
            raise NoImageryError(
                f"all {len(self.plan.scenes)} items are hidden by clouds or empty here"
            )
        read = [scene.id for scene in self.plan.scenes if scene.id not in self.unreadable]
        tags["ITEMS"] = ",".join(read)
        tags["VALID_SHARE"] = f"{valid_pixels / (self.grid.height * self.grid.width):.4f}"
        if self.unreadable:
            tags["UNREADABLE_ITEMS"] = ",".join(self.unreadable)

    def _composite(
        self, reader: SceneReader, here: list[Scene], block: Grid, pool: ThreadPoolExecutor
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        shape = block.shape
        observed = np.zeros(shape, dtype=bool)
        if reader.profile.mask is None:
            values = np.zeros((3, *shape), dtype=reader.profile.dtype)
            valid = np.zeros(shape, dtype=bool)
            for scene in here:
                if valid.all():
                    break
                part = self._read(reader, scene, block)
                if part is not None:
                    new = part[1] & ~valid
                    values[:, new] = part[0][:, new]
                    valid |= new
            observed = valid
        else:
            tried = pool.map(lambda scene: self._read(reader, scene, block), here)
            parts = [part for part in tried if part is not None]
            stack = np.stack([part[0] for part in parts] or [np.zeros((3, *shape), np.uint16)])
            clear = np.stack([part[1] for part in parts] or [np.zeros(shape, dtype=bool)])
            observed = (stack != 0).any(axis=(0, 1))
            values, valid = masked_median(stack, clear)
        self._refuse_lost_ground(here, block, observed)
        return values, valid

    def _read(
        self, reader: SceneReader, scene: Scene, block: Grid
    ) -> tuple[NDArray[Any], NDArray[np.bool_]] | None:
        if scene.id in self.unreadable:
            return None
        try:
            return reader.read(scene, block)
        except UnreadableSceneError as err:
            self.unreadable[scene.id] = str(err)
            return None

    def _refuse_lost_ground(
        self, here: list[Scene], block: Grid, observed: NDArray[np.bool_]
    ) -> None:
        """Raise where ground is missing because a scene could not be read."""
        for scene in here:
            if scene.id not in self.unreadable or observed.all():
                continue
            lost = footprint_mask(scene.footprint, block) & ~observed
            # Footprints are drawn roughly: some pixels at their rim belong to nobody anyway.
            if lost.mean() > _HOLE_SHARE:
                raise FetchError(
                    f"item {scene.id} cannot be read ({self.unreadable[scene.id]}) and no other "
                    "shows all of its ground; run again"
                )


def fetch_windows(grid: Grid) -> list[Window]:
    """The blocks of a grid that are read one after the other."""
    return blocks(grid, size=_BLOCK)
