"""A forecast as a STAC collection: one item a year, with reference time and horizon."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pystac

from app.forecasts.footprint import footprint
from app.forecasts.results import ForecastFolder
from preprocessing.errors import DateError
from preprocessing.rasters.dates import date_from_name
from preprocessing.rasters.grid import Grid
from preprocessing.rasters.io import RasterSource
from preprocessing.running.files import write_text

__all__ = [
    "FORECAST_EXTENSION",
    "MODEL_ITEM",
    "PROJECTION_EXTENSION",
    "moment",
    "reference_date",
    "write_stac",
]

FORECAST_EXTENSION = "https://stac-extensions.github.io/forecast/v0.2.0/schema.json"
PROJECTION_EXTENSION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"

MODEL_ITEM = "model.json"
_GEOJSON = pystac.MediaType.GEOJSON

# Stands for the folder, whose own name may hold what an address cannot.
_ROOT = "/forecast/"
_WORLD = [-180.0, -90.0, 180.0, 90.0]
_ASSETS = {
    "forecast": ("Representative member: the one nearest the ensemble mean", ["data", "visual"]),
    "mean": ("Mean of all futures, in input units", ["data"]),
    "spread": (
        "Standard deviation over the ensemble, one band, in input units",
        ["data", "uncertainty"],
    ),
    "change_probability": (
        "Probability that the ground has lastingly changed, 0 to 1",
        ["data", "probability"],
    ),
}
_FILMS = (("forecast.mp4", "video", "video/mp4"), ("forecast.gif", "animation", "image/gif"))


def write_stac(folder: str | Path | ForecastFolder, *, model: Path | None = None) -> Path:
    """Write `collection.json` and `forecast_{year}.json` into a result folder.

    With the folder of the model, `model.json` describes it, and the items are derived from it.

    Links and asset paths are relative, so the folder can be moved or published as it is. An image
    without CRS gives items without geometry and a collection that claims the whole world, as
    STAC demands an extent.

    Args:
        folder: The result of a forecast.
        model: Folder of the model that made it.

    Returns:
        Path of `collection.json`.

    Raises:
        RequestError: The folder is not the result of a forecast.
    """
    result = folder if isinstance(folder, ForecastFolder) else ForecastFolder.open(folder)
    source = RasterSource.open(result.present, value_range=result.value_range)
    reference = reference_date(result, source)
    bbox, geometry = footprint(source.grid)
    collection = _collection(result, reference, bbox)
    collection.catalog_type = pystac.CatalogType.SELF_CONTAINED
    for year in result.years:
        item = _item(result, year, reference, source.grid, bbox, geometry)
        collection.add_item(item)
        item.set_self_href(f"{_ROOT}forecast_{year}.json")
    collection.set_self_href(f"{_ROOT}collection.json")
    items = list(collection.get_items())
    if model is not None:
        described = _model_item(result, model, reference, bbox, geometry)
        described.set_self_href(f"{_ROOT}{MODEL_ITEM}")
        named = {"mlm:name": described.properties["mlm:name"]}
        for item in items:
            item.add_link(
                pystac.Link("derived_from", f"./{MODEL_ITEM}", _GEOJSON, extra_fields=named)
            )
        items.append(described)
    for made in (*items, collection):
        name = str(made.get_self_href()).removeprefix(_ROOT)
        text = json.dumps(made.to_dict(include_self_link=False), indent=2)
        write_text(result.folder / name, text)
    return result.folder / "collection.json"


def _model_item(
    result: ForecastFolder,
    model: Path,
    reference: dt.date,
    bbox: list[float] | None,
    geometry: dict[str, Any] | None,
) -> pystac.Item:
    """The model as it was used here: on this ground, from the start to the last year."""
    # It brings torch, which those who only read results do without.
    from forecast.model_description import MLM_EXTENSION, mlm_properties, mlm_weights

    item = pystac.Item(
        id=f"{_identifier(result)}-model",
        geometry=geometry,
        bbox=bbox,
        datetime=None,
        start_datetime=moment(reference, result.start_year),
        end_datetime=moment(reference, result.years[-1]),
        properties={"title": f"Model {result.model} of landcast", **mlm_properties(model)},
        stac_extensions=[MLM_EXTENSION],
    )
    item.add_asset("weights", pystac.Asset.from_dict(mlm_weights(model)))
    return item


def _collection(
    result: ForecastFolder, reference: dt.date, bbox: list[float] | None
) -> pystac.Collection:
    interval = [moment(reference, result.years[0]), moment(reference, result.years[-1])]
    ground = "" if bbox else " The image has no georeference, so the extent is unknown."
    collection = pystac.Collection(
        id=_identifier(result),
        title=f"Forecast of {result.region}, {result.years[0]} to {result.years[-1]}",
        description=(
            f"An ensemble of {result.members} possible futures of {result.region}, generated by "
            f"landcast from the image of {result.start_year} with the model {result.model} "
            f"(sha256 {result.model_sha256}) and seed {result.seed}. A projection, not an "
            f"observation and not a plan.{ground}"
        ),
        extent=pystac.Extent(
            pystac.SpatialExtent([bbox or _WORLD]), pystac.TemporalExtent([interval])
        ),
        license="other",
        keywords=["forecast", "land cover change", "ensemble"],
        stac_extensions=[FORECAST_EXTENSION],
        summaries=pystac.Summaries(
            {
                "forecast:reference_datetime": [_iso(reference)],
                "forecast:horizon": [f"P{y - result.start_year}Y" for y in result.years],
            }
        ),
    )
    collection.add_asset(
        "present",
        pystac.Asset(
            f"./{result.present.name}",
            title=f"The image of {result.start_year} the forecast starts from",
            media_type=pystac.MediaType.COG,
            roles=["data", "source"],
        ),
    )
    for name, key, media_type in _FILMS:
        if (result.folder / name).is_file():
            collection.add_asset(
                key,
                pystac.Asset(
                    f"./{name}",
                    title="The years as a film",
                    media_type=media_type,
                    roles=["overview"],
                ),
            )
    collection.add_asset(
        "run",
        pystac.Asset(
            "./run.json",
            title="Model, seed, arguments and versions",
            media_type=pystac.MediaType.JSON,
            roles=["metadata"],
        ),
    )
    return collection


def _item(
    result: ForecastFolder,
    year: int,
    reference: dt.date,
    grid: Grid,
    bbox: list[float] | None,
    geometry: dict[str, Any] | None,
) -> pystac.Item:
    properties: dict[str, Any] = {
        "title": f"{result.region}, forecast for {year}",
        "forecast:reference_datetime": _iso(reference),
        "forecast:horizon": f"P{year - result.start_year}Y",
        "proj:code": _code(grid),
        "proj:shape": [grid.height, grid.width],
        "proj:transform": [float(value) for value in tuple(grid.transform)[:6]],
        "landcast:members": result.members,
        "landcast:seed": result.seed,
        "landcast:model": result.model,
    }
    if grid.crs is not None and properties["proj:code"] is None:
        properties["proj:wkt2"] = grid.crs.to_wkt(version="WKT2_2019")
    if (gsd_m := grid.gsd_m) is not None:
        properties["gsd"] = round(gsd_m, 6)
    item = pystac.Item(
        id=f"{_identifier(result)}-{year}",
        geometry=geometry,
        bbox=bbox,
        datetime=moment(reference, year),
        properties=properties,
        stac_extensions=[FORECAST_EXTENSION, PROJECTION_EXTENSION],
    )
    for kind, (title, roles) in _ASSETS.items():
        href = f"./{result.path(kind, year).name}"
        asset = pystac.Asset(href, title=title, media_type=pystac.MediaType.COG, roles=roles)
        item.add_asset(kind, asset)
    for member in result.saved_members:
        href = f"./members/{result.path('forecast', year, member=member).name}"
        title = f"Member {member} of the ensemble"
        asset = pystac.Asset(href, title=title, media_type=pystac.MediaType.COG, roles=["data"])
        item.add_asset(f"member_{member:02d}", asset)
    for path in result.saved_observations:
        number, _, when = path.stem.partition("_")
        if when == str(year):
            title = f"Observation of member {int(number)}: light, season and sensor laid over it"
            href = f"./observations/{path.name}"
            asset = pystac.Asset(href, title=title, media_type=pystac.MediaType.COG, roles=["data"])
            item.add_asset(f"observation_{number}", asset)
    return item


def reference_date(result: ForecastFolder, source: RasterSource) -> dt.date:
    """The day of the start image, the first of January where only its year is known."""
    new_year = dt.date(result.start_year, 1, 1)
    try:
        named = date_from_name(result.region)
    except DateError:
        named = None
    for date in (source.date, named):
        if date is not None and date.year == result.start_year and date != new_year:
            return date
    return new_year


def _code(grid: Grid) -> str | None:
    authority = None if grid.crs is None else grid.crs.to_authority()
    return None if authority is None else ":".join(authority)


def _identifier(result: ForecastFolder) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(result.region).stem).strip("-") or "region"
    return f"landcast-{name}"


def moment(reference: dt.date, year: int) -> dt.datetime:
    """The reference day in another year (28 February for a leap day)."""
    leap_day = (reference.month, reference.day) == (2, 29)
    day = reference.replace(year=year, day=28 if leap_day else reference.day)
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _iso(day: dt.date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
