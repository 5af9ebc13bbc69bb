"""The images of a place, named by a STAC collection."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pystac
import pytest

from preprocessing.errors import DateError, RequestError
from preprocessing.preparation.image_collection import images_of_collection


def item(name: str, when: dt.datetime | None, assets: dict[str, Any], **said: Any) -> pystac.Item:
    made = pystac.Item(name, None, None, datetime=when, properties=said)
    for key, (href, *roles) in assets.items():
        made.add_asset(key, pystac.Asset(href, roles=roles))
    return made


def saved(folder: Path, *items: pystac.Item) -> Path:
    """A self-contained collection."""
    extent = pystac.Extent(
        pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[None, None]])
    )
    collection = pystac.Collection("places", "made", extent)
    collection.add_items(items)
    collection.normalize_hrefs(str(folder))
    collection.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)
    return folder / "collection.json"


def day(year: int) -> dt.datetime:
    return dt.datetime(year, 7, 1, tzinfo=dt.UTC)


def test_dates_are_those_of_the_items_and_pictures_go_first(tmp_path: Path) -> None:
    bands = {"B04": (str(tmp_path / "B04.tif"), "data"), "visual": (str(tmp_path / "v.tif"),)}
    path = saved(
        tmp_path / "stac",
        item("b", day(2017), bands),
        item("a", day(2014), {"image": (f"file://{tmp_path}/with%20space_2024.tif", "data")}),
        item("c", day(2020), {"image": ("https://host.org/c.tif?key=1", "data")}),
    )
    assert images_of_collection(path) == {
        tmp_path / "v.tif": dt.date(2017, 7, 1),
        tmp_path / "with space_2024.tif": dt.date(2014, 7, 1),
        "https://host.org/c.tif?key=1": dt.date(2020, 7, 1),
    }
    (one,) = images_of_collection(next((tmp_path / "stac").glob("a/*.json"))).values()
    assert one == dt.date(2014, 7, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (item("a", day(2014), {}), r"item a of .*got none"),
        (item("a", day(2014), {"thumbnail": ("a.html",)}), r"got .*a.html"),
        (item("a", day(2031), {"x": ("a.tif",)}, **{"forecast:horizon": "P1Y"}), "is a forecast"),
    ],
)
def test_items_that_are_no_images_are_refused(
    tmp_path: Path, wrong: pystac.Item, said: str
) -> None:
    path = saved(tmp_path, wrong)
    with pytest.raises(RequestError, match=said):
        images_of_collection(path)


def test_items_need_a_date(tmp_path: Path) -> None:
    span = {"start_datetime": "2010-01-01T00:00:00Z", "end_datetime": "2014-01-01T00:00:00Z"}
    path = saved(tmp_path, item("a", None, {"x": ("a.tif",)}, **span))
    with pytest.raises(DateError, match="item a of"):
        images_of_collection(path)


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path, item("a", day(2014), {"x": ("a.tif",)}))
    stored = json.loads(path.read_text())
    next(tmp_path.glob("a/*.json")).unlink()
    loop = {**stored, "links": [{"rel": "child", "href": "./collection.json"}]}
    for text in (path.read_text(), "{", '{"a": 1}', json.dumps(loop), "[]"):
        path.write_text(text)
        with pytest.raises(RequestError, match=r"STAC collection.*name the images themselves"):
            images_of_collection(path)
