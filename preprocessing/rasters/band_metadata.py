"""What a file says of its bands besides their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from preprocessing.rasters.band_choice import RED_GREEN_BLUE, colours_of

__all__ = ["BandMetadata"]


@dataclass(frozen=True)
class BandMetadata:
    """Names, units, scales, offsets and colours, one each a band.

    Attributes:
        descriptions: Names or None.
        units: Units or None.
        scales: Factors from stored to physical values.
        offsets: Added after the factor.
        colours: Rasterio's colour interpretations.
    """

    descriptions: tuple[str | None, ...]
    units: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    colours: tuple[Any, ...]

    @classmethod
    def of(cls, dataset: Any, bands: Sequence[int] | None = None) -> BandMetadata:
        """Of bands of an open rasterio dataset by their one-based indexes, of all where None."""
        said = (
            dataset.descriptions,
            dataset.units,
            dataset.scales,
            dataset.offsets,
            colours_of(dataset),
        )
        chosen = dataset.indexes if bands is None else bands
        return cls(*(tuple(values[band - 1] for band in chosen) for values in said))

    @property
    def scaled(self) -> bool:
        """Whether stored values are not the values meant."""
        return any(scale != 1 for scale in self.scales) or any(self.offsets)

    def as_colours(self) -> BandMetadata:
        """The same of bands that are red, green and blue."""
        return replace(self, colours=RED_GREEN_BLUE)

    def write_to(self, dataset: Any) -> None:
        """State them in an open dataset with as many bands, opened for writing."""
        for index, text in enumerate(self.descriptions, start=1):
            if text:
                dataset.set_band_description(index, text)
        if any(self.units):
            dataset.units = [unit or "" for unit in self.units]
        if self.scaled:
            dataset.scales, dataset.offsets = self.scales, self.offsets
        dataset.colorinterp = self.colours
