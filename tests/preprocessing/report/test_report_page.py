from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from html_reader import Page
from matplotlib.figure import Figure
from PIL import Image

from preprocessing.errors import OutputExistsError
from preprocessing.pairs.output import report_folder
from preprocessing.pairs.store import Pairs, PairStore
from preprocessing.preparation.store_writer import StoreWriter
from preprocessing.report.contact_sheet import contact_sheet
from preprocessing.report.counts import Example, PairReport, PrepareReport
from preprocessing.report.drawings import (
    REASON_COLOURS,
    densities,
    draw_shift_lengths,
    tile_map,
)
from preprocessing.report.page import report_page
from preprocessing.tiles.filters import FilterConfig, Reason

HOSTILE = "set/<script>alert('x')</script> & \"Ø\",\n/2016/2018"
SHEET = Image.new("RGB", (30, 20), (200, 30, 40))


def histogram(seed: int) -> dict[str, list[list[int]]]:
    rng = np.random.default_rng(seed)
    return {
        name: [np.bincount(rng.integers(0, 256, 900), minlength=256).tolist() for _ in range(3)]
        for name in ("past", "before", "after")
    }


def made_report(count: int = 3, *, source: str = "set/place/2016/2018") -> PrepareReport:
    rng = np.random.default_rng(count)
    reasons = [reason.value for reason in Reason]
    pairs = []
    for i in range(count):
        tiles = tuple(
            (row, col, reasons[rng.integers(len(reasons))])
            for row in (0, 128, 200)
            for col in (0, 128, 256, 384)
        )
        counts = {reason: sum(tile[2] == reason for tile in tiles) for reason in reasons}
        pairs.append(
            PairReport(
                source=source if i == 0 else f"set/place{i}/2016/2018",
                counts=counts,
                splits={"train": counts["kept"]},
                years=2.0,
                height=328,
                width=512,
                dy_px=float(rng.normal()),
                dx_px=float(rng.normal()),
                residual_px=math.nan if i == 1 else 0.05,
                histogram_before=0.1,
                histogram_after=0.01,
                histograms=histogram(i),
                method="histogram",
                bounds=(-122.5, 37.0, -122.4, 37.1),
                tiles=tiles,
            )
        )
    pairs.append(PairReport(source="set/far/2016/2018", refused="expected common <ground>, none"))
    return PrepareReport("pairs.zarr", tuple(pairs), {"stride": 128, "match": True}, 4.5)


def test_everything_is_on_the_page() -> None:
    report = made_report()
    page = Page(report_page(report, SHEET))
    for reason, count in report.counts.items():
        assert f"{reason}{count:,}{100 * count / report.tiles:.1f} %" in page.text
    for words in (
        "set/place2/2016/2018",
        "expected common <ground>, none",
        "stride128",
        "37.050° N",
    ):
        assert words in page.text
    assert "122.450° W" in page.text
    assert page.text.count("1 left as they lie") == 1
    headings = [tag for tag, _ in page.tags if tag == "h2"]
    assert len(headings) == 8


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = Page(report_page(made_report(source=HOSTILE), SHEET))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "data", "srcset", "xlink:href"}:
                assert value
                assert value.startswith("data:image/")
    assert HOSTILE in page.text  # As text, with its brackets.
    style = report_page(made_report(), SHEET)
    assert "url(" not in style
    assert "@import" not in style


def test_what_is_not_known_is_left_out() -> None:
    bare = PrepareReport("p.zarr", (PairReport(source="a/b/2016/2018", counts={"kept": 3}),), {}, 1)
    page = Page(report_page(bare, SHEET))
    assert "nan" not in page.text.lower()
    for words in ("Co-registration", "Colours", "Map of the tiles", "Settings", "Refused"):
        assert words not in page.text
    Page(report_page(PrepareReport("p.zarr", (), {}, 0.0), SHEET))


def test_many_places_keep_the_page_small() -> None:
    text = report_page(made_report(200), SHEET)
    page = Page(text)
    assert sum(tag == "img" and a.get("class") == "map" for tag, a in page.tags) == 60
    assert "140 more" in page.text
    assert len(text) < 1_500_000


def decoded(markup: str) -> np.ndarray:
    packed = re.search(r"base64,([A-Za-z0-9+/=]+)", markup)
    assert packed
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(packed[1]))).convert("RGB"))


def test_the_map_has_a_cell_a_tile() -> None:
    tiles = made_report().pairs[0].tiles
    cells = decoded(tile_map(tiles[:-1]))
    assert cells.shape == (3, 4, 3)
    for row, col, reason in tiles[:-1]:
        cell = cells[(0, 128, 200).index(row), (0, 128, 256, 384).index(col)]
        assert "#" + bytes(cell).hex() == REASON_COLOURS[reason]
    assert cells[2, 3].tolist() == [255, 255, 255]  # Not judged.


def test_every_reason_has_a_colour_of_its_own() -> None:
    assert set(REASON_COLOURS) == {reason.value for reason in Reason}
    assert len(set(REASON_COLOURS.values())) == len(REASON_COLOURS)


def test_shifts_are_drawn_to_scale() -> None:
    pairs = [
        PairReport(source=str(i), dy_px=0.0, dx_px=float(i), residual_px=i / 10)
        for i in range(1, 4)
    ]
    axes = Figure().subplots()
    draw_shift_lengths(axes, pairs)
    drawn = {line.get_label(): line.get_xdata() for line in axes.lines}
    assert list(drawn["before"]) == pytest.approx([1, 2, 3])
    assert list(drawn["after"]) == pytest.approx([0.1, 0.2, 0.3])
    assert [text.get_text() for text in axes.texts] == ["median 0.2", "median 2"]


@pytest.mark.parametrize("bins", [16, 100, 256])
def test_histograms_are_densities(bins: int) -> None:
    for found in densities([[5] * bins] * 3):
        assert found == pytest.approx(1)
    (dark,) = densities([[1] + [0] * (bins - 1)])
    assert dark[0] == pytest.approx(min(bins, 64), rel=0.6)
    assert not dark[1:].any()


def test_larger_chips_fit_the_contact_sheet() -> None:
    sheets = []
    for side in (128, 256):
        tiles = [np.full((3, side, side), value, np.uint8) for value in (90, 200)]
        sheets.append(contact_sheet([Example(Reason.KEPT, *tiles, "a")], {"kept": 1}))
    np.testing.assert_array_equal(*map(np.asarray, sheets))


def test_the_writer_leaves_page_and_tiles_beside_the_store(tmp_path: Path) -> None:
    out = tmp_path / "pairs.zarr"
    report = made_report(2, source=HOSTILE).pairs
    side = 16
    pairs = Pairs(
        past=np.zeros((1, 3, side, side), np.uint8),
        future=np.ones((1, 3, side, side), np.uint8),
        valid=np.ones((1, side, side), bool),
        years=np.array([2], np.float32),
        gsd_m=np.array([1], np.float32),
        row=np.zeros(1, np.int32),
        col=np.zeros(1, np.int32),
        split=np.zeros(1, np.uint8),
        source=np.array([HOSTILE]),
    )
    for overwrite in (False, True):  # A report with a page is still known as a report.
        with StoreWriter(out, overwrite=overwrite) as writer:
            for one in report:
                writer.add_tiles(pairs)
                writer.add_report(one)
            writer.finish(FilterConfig())
    folder = report_folder(out)
    assert PairStore(out).side_px == side
    Page((folder / "report.html").read_text(encoding="utf-8"))
    with gzip.open(folder / "tiles.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["source", "row", "col", "reason"]
    expected = [[one.source, *map(str, tile)] for one in report for tile in one.tiles]
    assert rows[1:] == expected
    stated = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert "tiles" not in stated["pairs"][0]
    assert stated["pairs"][0]["method"] == "histogram"
    with pytest.raises(OutputExistsError):
        StoreWriter(out)
