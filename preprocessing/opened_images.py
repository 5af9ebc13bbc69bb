"""Files opened as images to prepare: quick to read by windows, without clouds, averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from preprocessing.cloud_detection import DETECTION_HALO_PX, detect_clouds
from preprocessing.clouds import CloudSource
from preprocessing.image_source import (
    AveragedImage,
    FileImage,
    ImageSource,
    MaskedImage,
    Reading,
    hold,
)
from preprocessing.io import RasterSource
from preprocessing.manifest import ManifestImage, pair_source
from preprocessing.prepare_config import PrepareConfig
from preprocessing.raster_pair import PairPlan, plan_pair
from preprocessing.tiled_copy import quick_windows

__all__ = ["ListedImages", "without_clouds"]


def without_clouds(
    image: ImageSource,
    config: PrepareConfig,
    *,
    mask: str | Path | None = None,
    mask_kind: str = "mask",
) -> ImageSource:
    """The image without its clouds.

    Args:
        image: Any image.
        config: Says whether clouds are looked for.
        mask: Its cloud mask.
        mask_kind: See `CloudSource`.

    Raises:
        RequestError: See `CloudSource.open`.
    """
    if mask is not None:
        clouds = CloudSource.open(mask, mask_kind)
        image = MaskedImage(image, lambda raster: clouds.clear(raster.grid))
    if config.detect_clouds:
        image = MaskedImage(image, lambda raster: ~detect_clouds(raster), DETECTION_HALO_PX)
    return image


@dataclass
class ListedImages:
    """The images of a manifest, opened when needed; the last two are kept.

    Attributes:
        reading: How to understand the files.
        config: Settings.
        averages: See `prepare_manifest`.
        mask_kind: Kind of all cloud masks, see `CloudSource`.
        scratch: Folder for copies, see `quick_windows`.
    """

    reading: Reading
    config: PrepareConfig
    averages: Mapping[str, int]
    mask_kind: str
    scratch: Path
    _last: dict[ManifestImage, ImageSource] = field(default_factory=dict)

    def open(self, image: ManifestImage) -> RasterSource:
        """Open a file; see `RasterSource.open` for the errors."""
        return self.reading.open(image.path, year=image.year)

    def plan(self, first: ManifestImage, second: ManifestImage, config: PrepareConfig) -> PairPlan:
        """The plan of a pair; see `plan_pair` for the errors."""
        self._last = {k: v for k, v in self._last.items() if k in (first, second)}
        for image in (first, second):
            if image not in self._last:
                self._last[image] = self._read(image)
        return plan_pair(
            self._last[first],
            self._last[second],
            config,
            source=pair_source(first, second),
            gsd_m=first.gsd_m * self.averages.get(first.dataset, 1),
        )

    def _read(self, image: ManifestImage) -> ImageSource:
        file = quick_windows(FileImage.of(self.open(image), image.date), self.scratch)
        source = without_clouds(file, self.config, mask=image.mask, mask_kind=self.mask_kind)
        average = self.averages.get(image.dataset, 1)
        return hold(AveragedImage(source, average) if average > 1 else source)
