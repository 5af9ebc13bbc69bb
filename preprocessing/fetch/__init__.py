"""Imagery by place and year from public STAC catalogues."""

from preprocessing.fetch.catalogues import CATALOGUES, COLLECTIONS, Catalogue, Collection
from preprocessing.fetch.request import FetchRequest, parse_bbox, parse_years
from preprocessing.fetch.run import FetchReport, fetch_years
from preprocessing.fetch.season import Season

__all__ = [
    "CATALOGUES",
    "COLLECTIONS",
    "Catalogue",
    "Collection",
    "FetchReport",
    "FetchRequest",
    "Season",
    "fetch_years",
    "parse_bbox",
    "parse_years",
]
