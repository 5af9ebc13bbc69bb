"""Series: all dates of a place on one grid, on disk and in memory. Needs no GDAL to read."""

from preprocessing.series.place import PlaceSeries
from preprocessing.series.store import PlaceLabel, SeriesStore

__all__ = ["PlaceLabel", "PlaceSeries", "SeriesStore"]
