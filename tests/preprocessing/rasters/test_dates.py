from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import rasterio

from preprocessing.errors import DateError
from preprocessing.rasters.dates import date_from_creation, date_from_name, date_from_tags
from preprocessing.rasters.io import RasterSource

FULL = dt.date(2016, 8, 16)


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("2016-08-16.tif", FULL),
        ("20160816.tif", FULL),
        ("town_2016_08_16.tif", FULL),
        ("data/2001/town-2016.08.16.tif", FULL),
        ("S2A_MSIL1C_20170105T013442_N0204_R031_T53NMJ_20170105T013443.jp2", dt.date(2017, 1, 5)),
        ("LC08_L1TP_042034_20170616_20170629_01_T1_B4.TIF", dt.date(2017, 6, 16)),
        ("LC08_L2SP_042034_20201230_20210310_02_T1_SR_B4.TIF", dt.date(2020, 12, 30)),
        ("stack_LT05_L2SP_233060_19951224_20200911_02_T1.tif", dt.date(1995, 12, 24)),
        (
            "S2B_MSIL2A_20161231T013442_N0500_R031_T53NMJ_20230105T013443.tif",
            dt.date(2016, 12, 31),
        ),
        ("20191231_102203_0e26_3B_AnalyticMS_SR_20200103.tif", dt.date(2019, 12, 31)),
        ("20191231_102203_45_2413_3B_AnalyticMS_2021.tif", dt.date(2019, 12, 31)),
        ("m_3411861_ne_11_060_20181201_20190211.tif", dt.date(2018, 12, 1)),
        ("LC08_L2SP_042034_20201330_20200310_02_T1.tif", dt.date(2020, 3, 10)),
        ("town_2016.tif", dt.date(2016, 1, 1)),
        ("town2016.png", dt.date(2016, 1, 1)),
        ("aerial_1938.jpg", dt.date(1938, 1, 1)),
        ("town_2016-02-30.tif", dt.date(2016, 1, 1)),
        ("town_2016_2016b.tif", dt.date(2016, 1, 1)),
        ("town_2016-08-16_of_2020.tif", FULL),
        ("town.tif", None),
        ("town_120160.tif", None),
        ("town_1871.tif", None),
        ("2016/town.tif", None),
    ],
)
def test_names(name: str, date: dt.date | None) -> None:
    assert date_from_name(name) == date


@pytest.mark.parametrize("name", ["town_2016_2020.tif", "2016-08-16_2020-08-16.tif"])
def test_a_name_of_two_years_is_refused(name: str) -> None:
    with pytest.raises(DateError, match="got 2016, 2020; leave one in the name, or state the year"):
        date_from_name(name)


@pytest.mark.parametrize(
    ("tags", "date"),
    [
        ({"ACQUISITION_DATE": "2016-08-16"}, FULL),
        ({"acquisition_date": "20160816"}, FULL),
        ({"DATE_ACQUIRED": "2016-08-16"}, FULL),
        ({"ACQUISITIONDATETIME": "2016-08-16 10:22:03"}, FULL),
        ({"datetime": "2016-08-16T10:22:03Z"}, FULL),
        ({"datetime": "2020-01-01", "ACQUISITIONDATETIME": "2016-08-16"}, FULL),
        ({"ACQUISITION_DATE": "2016-13-40", "DATE_ACQUIRED": "2016-08-16"}, FULL),
        ({"ACQUISITION_DATE": "summer"}, None),
        ({"DateTime": "2016:08:16 10:22:03", "TIFFTAG_DATETIME": "2016:08:16 10:22:03"}, None),
        ({}, None),
    ],
)
def test_tags_of_acquisition(tags: dict[str, str], date: dt.date | None) -> None:
    assert date_from_tags(tags) == date


def test_tags_of_creation() -> None:
    assert date_from_creation({"TIFFTAG_DATETIME": "2016:08:16 10:22:03"}) == FULL
    assert date_from_creation({"DateTime": "2016:08:16 10:22:03"}) == FULL
    assert date_from_creation({"ACQUISITION_DATE": "2016-08-16"}) is None


def test_acquisition_then_name_then_creation(tmp_path: Path) -> None:
    def date(name: str, **tags: str) -> dt.date | None:
        path = tmp_path / name
        options = {"driver": "GTiff", "height": 8, "width": 8, "count": 3, "dtype": "uint8"}
        with rasterio.open(path, "w", **options) as file:
            file.write(np.ones((3, 8, 8), np.uint8))
            file.update_tags(**tags)
        return RasterSource.open(path).date

    made = {"TIFFTAG_DATETIME": "2024:03:04 05:06:07"}
    assert date("seen_2018.tif", ACQUISITION_DATE="2016-08-16", **made) == FULL
    assert date("named_2018.tif", **made) == dt.date(2018, 1, 1)
    assert date("unnamed.tif", **made) == dt.date(2024, 3, 4)
    assert date("nothing.tif") is None
