"""Files opened as images to prepare: quick to read by windows, without clouds, averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.masks.cloud_detection import DETECTION_HALO_PX, detect_clouds
from preprocessing.masks.clouds import CloudSource
from preprocessing.preparation.config import PrepareConfig
from preprocessing.preparation.manifest import ManifestImage, pair_source
from preprocessing.preparation.raster_pair import PairPlan, plan_pair
from preprocessing.preparation.tiled_copy import quick_windows
from preprocessing.rasters.image_source import (
    AveragedImage,
    FileImage,
    ImageSource,
    MaskedImage,
    Reading,
    Readings,
    hold,
)
from preprocessing.rasters.io import RasterSource

__all__ = ["ListedImages", "without_clouds"]


def without_clouds(
    image: ImageSource,
    *,
    detect: bool = False,
    mask: str | Path | None = None,
    mask_kind: str = "mask",
) -> ImageSource:
    """The image without its clouds.

    Args:
        image: Any image.
        detect: Look for clouds, see `detect_clouds`.
        mask: Its cloud mask.
        mask_kind: See `CloudSource`.

    Raises:
        RequestError: See `CloudSource.open`.
    """
    if mask is not None:
        clouds = CloudSource.open(mask, mask_kind)
        image = MaskedImage(image, lambda raster: clouds.clear(raster.grid))
    if detect:
        image = MaskedImage(image, lambda raster: ~detect_clouds(raster), DETECTION_HALO_PX)
    return image


@dataclass
class ListedImages:
    """The images of a manifest, opened when needed; the last two are kept.

    Attributes:
        readings: How to understand the files.
        averages: See `prepare_manifest`.
        detect_clouds: Look for clouds in every image.
        mask_kind: Kind of all cloud masks, see `CloudSource`; None where none is stated.
        scratch: Folder for copies, see `quick_windows`.
    """

    readings: Readings
    averages: Mapping[str, int]
    detect_clouds: bool
    mask_kind: str | None
    scratch: Path
    _last: dict[ManifestImage, ImageSource] = field(default_factory=dict)

    def check(self, images: Sequence[ManifestImage], name: str | Path) -> None:
        """Refuse what is stated of data sets or masks that the list `name` does not have.

        Raises:
            RequestError: There is no such data set, or no mask.
        """
        known = sorted({image.dataset for image in images})
        stated = {"to average": self.averages, "to read": self.readings.of_dataset}
        for what, names in stated.items():
            unknown = sorted(set(names) - set(known))
            if unknown:
                raise RequestError(
                    f"expected data sets {what} among {', '.join(known)} of {name}, "
                    f"got {', '.join(unknown)}"
                )
        if self.mask_kind is not None and all(image.mask is None for image in images):
            raise RequestError(
                f"expected cloud masks of kind {self.mask_kind} in the column mask of a "
                f"manifest, {name} names none; list the images with their masks in one, or "
                "leave the kind out"
            )

    def of_place(self, reading: Reading) -> ListedImages:
        """The same for the images of one place, all understood alike."""
        return replace(self, readings=Readings(reading), _last={})

    def open(self, image: ManifestImage) -> RasterSource:
        """Open a file; see `RasterSource.open` for the errors."""
        return self.readings.of(image.dataset).open(image.path, year=image.year)

    def image(self, image: ManifestImage) -> ImageSource:
        """The image without clouds, averaged; in memory if it is small.

        Raises:
            RequestError: See `RasterSource.open` and `CloudSource.open`.
        """
        found = self._last.pop(image, None) or self._read(image)
        self._last[image] = found
        if len(self._last) > 2:
            del self._last[next(iter(self._last))]
        return found

    def gsd_m(self, image: ManifestImage) -> float:
        """Metres per pixel that the list states for an image, once averaged; NaN where unknown."""
        return image.gsd_m * self.averages.get(image.dataset, 1)

    def plan(self, first: ManifestImage, second: ManifestImage, config: PrepareConfig) -> PairPlan:
        """The plan of a pair; see `plan_pair` for the errors."""
        return plan_pair(
            self.image(first),
            self.image(second),
            config,
            source=pair_source(first, second),
            gsd_m=self.gsd_m(first),
        )

    def _read(self, image: ManifestImage) -> ImageSource:
        file = quick_windows(FileImage.of(self.open(image), image.date), self.scratch)
        source = without_clouds(
            file, detect=self.detect_clouds, mask=image.mask, mask_kind=self.mask_kind or "mask"
        )
        average = self.averages.get(image.dataset, 1)
        return hold(AveragedImage(source, average) if average > 1 else source)
