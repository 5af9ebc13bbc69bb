"""What a file says of its bands besides their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from preprocessing.band_choice import colours_of

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
    def of(cls, dataset: Any) -> BandMetadata:
        """Of all bands of an open rasterio dataset."""
        return cls(
            dataset.descriptions,
            dataset.units,
            dataset.scales,
            dataset.offsets,
            colours_of(dataset),
        )

    def write_to(self, dataset: Any) -> None:
        """State them in an open dataset with as many bands, opened for writing."""
        for index, text in enumerate(self.descriptions, start=1):
            if text:
                dataset.set_band_description(index, text)
        if any(self.units):
            dataset.units = [unit or "" for unit in self.units]
        if any(scale != 1 for scale in self.scales) or any(self.offsets):
            dataset.scales, dataset.offsets = self.scales, self.offsets
        dataset.colorinterp = self.colours
