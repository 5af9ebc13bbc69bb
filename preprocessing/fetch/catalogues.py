"""What is known of image collections, and where public catalogues keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from preprocessing.errors import RequestError

__all__ = ["CATALOGUES", "COLLECTIONS", "BandSource", "Catalogue", "Collection", "Composition"]

Composition = Literal["true-colour", "false-colour"]


@dataclass(frozen=True, slots=True)
class BandSource:
    """Where the items of a collection keep one band.

    Attributes:
        assets: Names of the asset in different catalogues, the first found is taken.
        index: One-based band within the asset.
    """

    assets: tuple[str, ...]
    index: int = 1


@dataclass(frozen=True)
class Collection:
    """A kind of imagery: its bands, how they are stored, and how a year is made of it.

    Attributes:
        name: As on the command line.
        gsd_m: Metres per pixel of the composites unless asked otherwise.
        dtype: Stored type of composites, that of the collection; 0 is nodata.
        bands: By colour: red, green, blue, nir.
        value_range: Stored values that mean black and white, by composition.
        attribution: What its use asks to be said; `{year}` is filled in.
        licence: Short name for manifests.
        scale: Reflectance is `scale * stored + offset`; None where values are no reflectance.
        offset: See `scale`.
        mask: Kind of the quality band, or None for imagery without clouds.
        mask_assets: Names of the quality asset.
        layers: Observations of each place that are enough for a year.
        pixel_centre_grid: Pixel centres, not edges, lie on multiples of the pixel size.
        northern_zones: UTM zones of the north are used in the south, too (Landsat Collection 2).
    """

    name: str
    gsd_m: float
    dtype: str
    bands: Mapping[str, BandSource]
    value_range: Mapping[Composition, tuple[float, float]]
    attribution: str
    licence: str
    scale: float | None = None
    offset: float = 0.0
    mask: Literal["scl", "qa_pixel"] | None = None
    mask_assets: tuple[str, ...] = ()
    layers: int = 12
    pixel_centre_grid: bool = False
    northern_zones: bool = False

    def colours(self, composition: Composition) -> tuple[str, str, str]:
        """Bands shown as red, green and blue."""
        if composition == "false-colour":
            return ("nir", "red", "green")
        return ("red", "green", "blue")


@dataclass(frozen=True)
class Catalogue:
    """A STAC API.

    Attributes:
        url: Its landing page.
        collections: What it calls the collections it offers; None where it may have any, under
            the names of the command line.
        signing: `planetary-computer` where addresses of assets must be signed.
    """

    url: str
    collections: Mapping[str, str] | None = None
    signing: Literal["planetary-computer"] | None = None

    @classmethod
    def find(cls, text: str) -> Catalogue:
        """The preset of this name or address, else an unsigned catalogue at that address.

        Raises:
            RequestError: Neither a preset nor an http(s) address.
        """
        if text in CATALOGUES:
            return CATALOGUES[text]
        for known in CATALOGUES.values():
            if text.rstrip("/") == known.url:
                return known
        if not text.startswith(("http://", "https://")):
            raise RequestError(
                f"expected a catalogue among {', '.join(CATALOGUES)} or the http(s) address of a "
                f"STAC API, got '{text}'"
            )
        return cls(text.rstrip("/"))

    def name_of(self, collection: str) -> str:
        """What the catalogue calls a collection.

        Raises:
            RequestError: It is known not to offer it, or not for reading without an account.
        """
        if self.collections is None:
            return collection
        if collection not in self.collections:
            raise RequestError(
                f"expected a collection among {', '.join(self.collections)} for {self.url}, got "
                f"{collection}; choose another --catalogue"
            )
        return self.collections[collection]


# Earth Search keeps Landsat and NAIP in buckets where the reader pays. Of its two collections of
# Sentinel-2, only Collection 1 says reliably whether the offset of processing baseline 04.00 is
# still in the values (github.com/Element84/earth-search issues 66 and 71).
CATALOGUES: Mapping[str, Catalogue] = {
    "planetary-computer": Catalogue(
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        {
            "sentinel-2-l2a": "sentinel-2-l2a",
            "landsat-c2-l2": "landsat-c2-l2",
            "naip": "naip",
        },
        signing="planetary-computer",
    ),
    "earth-search": Catalogue(
        "https://earth-search.aws.element84.com/v1", {"sentinel-2-l2a": "sentinel-2-c1-l2a"}
    ),
}

COLLECTIONS: Mapping[str, Collection] = {
    # Reflectance x 10000. White is 0.3 in the visible; vegetation reaches 0.5 in the near infrared.
    "sentinel-2-l2a": Collection(
        name="sentinel-2-l2a",
        gsd_m=10.0,
        dtype="uint16",
        bands={
            "red": BandSource(("B04", "red", "B04_10m")),
            "green": BandSource(("B03", "green", "B03_10m")),
            "blue": BandSource(("B02", "blue", "B02_10m")),
            "nir": BandSource(("B08", "nir", "B08_10m")),
        },
        value_range={"true-colour": (0.0, 3000.0), "false-colour": (0.0, 5000.0)},
        attribution="Contains modified Copernicus Sentinel data {year}",
        licence="Copernicus Sentinel data terms",
        scale=1e-4,
        mask="scl",
        mask_assets=("SCL", "scl", "SCL_20m"),
    ),
    # The same reflectances in the units of Collection 2 Level 2.
    "landsat-c2-l2": Collection(
        name="landsat-c2-l2",
        gsd_m=30.0,
        dtype="uint16",
        bands={
            "red": BandSource(("red",)),
            "green": BandSource(("green",)),
            "blue": BandSource(("blue",)),
            "nir": BandSource(("nir08",)),
        },
        value_range={"true-colour": (7273.0, 18182.0), "false-colour": (7273.0, 25455.0)},
        attribution="Landsat {year} courtesy of the U.S. Geological Survey",
        licence="public domain",
        scale=2.75e-5,
        offset=-0.2,
        mask="qa_pixel",
        mask_assets=("qa_pixel",),
        pixel_centre_grid=True,
        northern_zones=True,
    ),
    # Flown at 0.3, 0.6 or 1 m: at 1 m all years look alike. Of two layers the second is a reserve,
    # read only where the first has holes.
    "naip": Collection(
        name="naip",
        gsd_m=1.0,
        dtype="uint8",
        bands={
            "red": BandSource(("image",), 1),
            "green": BandSource(("image",), 2),
            "blue": BandSource(("image",), 3),
            "nir": BandSource(("image",), 4),
        },
        value_range={"true-colour": (0.0, 255.0), "false-colour": (0.0, 255.0)},
        attribution="USDA National Agriculture Imagery Program {year}",
        licence="public domain",
        layers=2,
    ),
}
