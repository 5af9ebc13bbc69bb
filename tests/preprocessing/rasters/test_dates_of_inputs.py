"""Dates in names and tables as users write them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from written_rasters import noise, write

from forecast.region.images import open_images
from preprocessing.errors import (
    DateError,
    RequestError,
)
from preprocessing.preparation.manifest import read_manifest
from preprocessing.rasters.dates import date_from_name


def table(folder: Path, text: str, encoding: str = "utf-8") -> list[dt.date]:
    path = folder / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    return [image.date for image in read_manifest(path)]


HEAD = "dataset,place,date,path"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_manifests_are_read_as_spreadsheets_write_them(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    lines = [" Dataset, PLACE ,Date, Path ", "", "a,Señal,2016-5-4,b.tif", ",,,", "a,p,2018,c.tif"]
    text = "\r\n".join(lines).replace(",", separator) + "\r\n"
    assert table(tmp_path, text, encoding) == [dt.date(2016, 5, 4), dt.date(2018, 1, 1)]
    assert read_manifest(tmp_path / "manifest.csv")[0].place == "Señal"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["04.05.2016", "22.07.2018"], [(2016, 5, 4), (2018, 7, 22)]),
        (["04/05/2016", "22/07/2018"], [(2016, 5, 4), (2018, 7, 22)]),
        (["04/05/2016", "07/22/2018"], [(2016, 4, 5), (2018, 7, 22)]),
        (["2016/05/04", "2018-7-22"], [(2016, 5, 4), (2018, 7, 22)]),
        (["20160504", "2018-07-22T10:00:00Z"], [(2016, 5, 4), (2018, 7, 22)]),
        (["2016", "2018.0"], [(2016, 1, 1), (2018, 1, 1)]),
    ],
)
def test_dates_of_tables(tmp_path: Path, texts: list[str], expected: list[tuple[int, ...]]) -> None:
    text = "\n".join([HEAD, *(f"a,b,{text},c.tif" for text in texts)])
    assert table(tmp_path, text) == [dt.date(*day) for day in expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,04/05/2016,c.tif\na,b,06/07/2018,d.tif", "line 2.*cannot be told apart"),
        ("a,b,13/05/2016,c.tif\na,b,06/17/2018,d.tif", "line 2.*cannot be told apart"),
        ("a,b,2016,c.tif\na,b,31.02.2016,c.tif", "line 3, got '31.02.2016'"),
        ("a,b,May 2016,c.tif", "line 2, got 'May 2016'"),
        ("a,b,2016,c.tif\na,b", "line 3, date, path is empty"),
        ("a,b,2956,c.tif", "line 2 says 2956"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        table(tmp_path, f"{HEAD}\n{text}\n")


def test_paths_of_windows_are_found(tmp_path: Path) -> None:
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / "c.tif").touch()
    table(tmp_path, f"{HEAD}\na,b,2016,imgs\\c.tif\n")
    assert Path(read_manifest(tmp_path / "manifest.csv")[0].path).exists()


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("LC08_CU_003010_20160816_20210504_C01_V01_SR.tif", (2016, 8, 16)),
        ("swissimage-dop10_2016_2600-1198_0.1_2056.tif", (2016, 1, 1)),
        ("HLS.S30.T17SLU.2016117T160901.v2.0.tif", (2016, 4, 26)),
        ("MOD13Q1.A2016117.h08v05.061.tif", (2016, 4, 26)),
        ("ortho_epsg2000_2016.tif", (2016, 1, 1)),
    ],
)
def test_names_of_products_say_when_the_ground_was_seen(
    name: str, date: tuple[int, int, int]
) -> None:
    assert date_from_name(name) == dt.date(*date)


@pytest.mark.parametrize("name", ["town_a_2048px.tif", "town_b_2000px.tif", "tile_2000m.tif"])
def test_sizes_in_names_are_no_years(name: str) -> None:
    assert date_from_name(name) is None


@pytest.mark.parametrize("name", ["ortho_lv95_2056.tif", "tile_2048.tif"])
def test_a_year_to_come_is_no_observation(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, noise())
    with pytest.raises(DateError, match="has been taken"):
        open_images([path])
    assert open_images([path], year=2016).start_year == 2016
