"""What the numbers of known products mean: value range, nodata and band names of each sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preprocessing.errors import ValueRangeError

__all__ = ["SENSORS", "SensorProfile", "sensor_profile"]

_Names = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

_BLACK, _WHITE = 0.0, 0.3
_WORDS = ("uint16", "int16", "uint32", "int32")
_REALS = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class SensorProfile:
    """How a product stores its pixels.

    Surface reflectance is taken from 0 (black) to 0.3 (white): nearly all ground lies in between,
    and brighter things (clouds, snow, some roofs) are white.

    Attributes:
        name: What to call it in options.
        low: Stored value that means 0.
        high: Stored value that means 1.
        nodata: Stored value of invalid pixels where the file states none, or None.
        bands: Names of the red, green and blue band, any of the alternatives in each.
        description: Product and source of these numbers.
        dtypes: Stored types this holds for.
        order: For files whose bands have no names: number of bands and the one-based indexes of
            red, green and blue.
        physical: Physical values of black and white, for files that state their own scale.
    """

    name: str
    low: float
    high: float
    nodata: float | None
    bands: _Names
    description: str
    dtypes: tuple[str, ...]
    order: tuple[tuple[int, tuple[int, int, int]], ...] = ()
    physical: tuple[float, float] | None = None

    def value_range(
        self, dtype: str, *, scale: float = 1.0, offset: float = 0.0, name: str = "the raster"
    ) -> tuple[float, float]:
        """Stored values that mean 0 and 1.

        Args:
            dtype: Stored type.
            scale: Scale the file states, 1 if none; together with `offset` it is believed more
                than the profile.
            offset: Offset the file states, 0 if none.
            name: What to call the file in messages.

        Raises:
            ValueRangeError: The profile does not hold for this type.
        """
        if self.physical is not None and (scale != 1.0 or offset != 0.0):
            black, white = ((value - offset) / scale for value in self.physical)
            return (black, white)
        if dtype not in self.dtypes:
            raise ValueRangeError(
                f"expected {' or '.join(self.dtypes)} pixels for the sensor {self.name}, "
                f"got {dtype} in {name}; leave the sensor out or state the range of values, "
                "e.g. --value-range 0,1"
            )
        return (self.low, self.high)

    def colour_bands(self, descriptions: Sequence[str | None]) -> tuple[int, int, int] | None:
        """One-based indexes of red, green and blue among named bands, or None.

        Case, and anything before the last blank, dot or slash does not matter.
        """
        plain = [(text or "").strip().lower() for text in descriptions]
        ends = [text.replace("/", " ").replace(".", " ").split(" ")[-1] for text in plain]
        found = []
        for names in self.bands:
            places = [
                place
                for name in names
                for texts in (plain, ends)
                for place, text in enumerate(texts, start=1)
                if text == name
            ]
            if not places:
                return None
            found.append(places[0])
        return (found[0], found[1], found[2])

    def usual_bands(self, count: int) -> tuple[int, int, int] | None:
        """Indexes of red, green and blue in a file of `count` unnamed bands, or None."""
        return dict(self.order).get(count)


def sensor_profile(name: str) -> SensorProfile:
    """The profile of that name.

    Raises:
        ValueRangeError: There is none.
    """
    try:
        return SENSORS[name]
    except KeyError as err:
        raise ValueRangeError(
            f"expected a sensor of {', '.join(SENSORS)}, got {name!r}; "
            "for others state --value-range and --bands"
        ) from err


def _reflectance(
    name: str,
    description: str,
    *,
    bands: _Names,
    order: tuple[tuple[int, tuple[int, int, int]], ...] = (),
    scale: float = 1e-4,
    offset: float = 0.0,
    nodata: float | None = 0.0,
    dtypes: tuple[str, ...] = _WORDS,
) -> SensorProfile:
    """A profile of surface reflectance from `_BLACK` to `_WHITE`."""
    low, high = (round((value - offset) / scale, 6) for value in (_BLACK, _WHITE))
    physical = (_BLACK, _WHITE)
    return SensorProfile(name, low, high, nodata, bands, description, dtypes, order, physical)


_RGB: _Names = (("red", "r"), ("green", "g"), ("blue", "b"))
_MSI: _Names = (("b04", "b4", "red"), ("b03", "b3", "green"), ("b02", "b2", "blue"))
_OLI: _Names = (("sr_b4", "red"), ("sr_b3", "green"), ("sr_b2", "blue"))
_TM: _Names = (("sr_b3", "red"), ("sr_b2", "green"), ("sr_b1", "blue"))
_ALL_MSI = ((12, (4, 3, 2)), (13, (4, 3, 2)))
_LANDSAT = "surface reflectance 2.75e-5 x value - 0.2, USGS Collection 2 level 2"

SENSORS: dict[str, SensorProfile] = {
    profile.name: profile
    for profile in (
        _reflectance(
            "sentinel-2-l2a",
            "Sentinel-2 level 2A, reflectance x 10000: processing baseline before 04.00, or "
            "harmonised to it",
            bands=_MSI,
            order=_ALL_MSI,
        ),
        _reflectance(
            "sentinel-2-l2a-04.00",
            "Sentinel-2 level 2A, reflectance x 10000 + 1000: processing baseline 04.00 (January "
            "2022) and later, as delivered",
            bands=_MSI,
            order=_ALL_MSI,
            offset=-0.1,
        ),
        _reflectance(
            "landsat-c2-l2",
            f"Landsat 8 and 9, {_LANDSAT}",
            bands=_OLI,
            order=((7, (4, 3, 2)),),
            scale=2.75e-5,
            offset=-0.2,
        ),
        _reflectance(
            "landsat-c2-l2-tm",
            f"Landsat 4, 5 and 7, {_LANDSAT}",
            bands=_TM,
            order=((6, (3, 2, 1)),),
            scale=2.75e-5,
            offset=-0.2,
        ),
        SensorProfile(
            "naip",
            0.0,
            255.0,
            None,
            _RGB,
            "NAIP aerial images, 8 bits: red, green, blue, near infrared",
            ("uint8",),
            ((4, (1, 2, 3)),),
        ),
        _reflectance(
            "planet",
            "PlanetScope surface reflectance x 10000, 4 or 8 bands",
            bands=_RGB,
            order=((4, (3, 2, 1)), (8, (6, 4, 2))),
        ),
        _reflectance(
            "reflectance",
            "Surface reflectance as real numbers, whatever the sensor",
            bands=_RGB,
            scale=1.0,
            nodata=None,
            dtypes=_REALS,
        ),
    )
}
