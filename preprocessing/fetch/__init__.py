"""Imagery by place and year from public STAC catalogues."""

from preprocessing.fetch.catalogues import CATALOGUES, COLLECTIONS, Catalogue, Collection
from preprocessing.fetch.request import FetchRequest, parse_bbox, parse_years
from preprocessing.fetch.run import FetchReport, fetch_years, search_years
from preprocessing.fetch.season import Season
from preprocessing.fetch.year import YearPlan

__all__ = [
    "CATALOGUES",
    "COLLECTIONS",
    "Catalogue",
    "Collection",
    "FetchReport",
    "FetchRequest",
    "Season",
    "YearPlan",
    "fetch_years",
    "parse_bbox",
    "parse_years",
    "search_years",
]
