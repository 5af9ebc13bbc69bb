"""Cloud masks that a manifest names for its images."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from prepare_cases import APART_PX, places, write_manifest

from app.cli.entry import run
from preprocessing.errors import MissingFileError, RequestError
from preprocessing.pairs.store import PairStore
from preprocessing.preparation.manifest import read_manifest
from preprocessing.preparation.run import prepare_manifest
from preprocessing.report.counts import PrepareReport

CLEAR, CLOUD = 4, 9  # Of Sentinel-2's scene classification: vegetation, thick cloud.


def masked_places(folder: Path, codes: dict[str, int]) -> Path:
    """Places `a` and `b` of one tile, and masks of one code over some of their images."""
    manifest = places(folder, {"a": "train", "b": "train"})
    with manifest.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    lines: list[dict[str, object]] = []
    for row in rows:
        mask = ""
        if Path(row["path"]).stem in codes:
            mask = f"masks/{row['path']}"
            store_mask(folder / mask, codes[Path(row["path"]).stem], place=row["place"])
        lines.append({**row, "mask": mask})
    return write_manifest(folder, lines)


def store_mask(path: Path, code: int, *, place: str) -> None:
    """A mask of 40 m pixels over one place."""
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=40,
        width=40,
        count=1,
        dtype="uint8",
        crs="EPSG:32613",
        transform=Affine(
            40, 0, 500_000 + (10 * APART_PX if place == "b" else 0), 0, -40, 5_000_000
        ),
    ) as file:
        file.write(np.full((1, 40, 40), code, np.uint8))


def hidden(report: PrepareReport) -> set[str]:
    """Places of which nothing could be made because all is masked."""
    assert all("masked" in str(pair.refused) for pair in report.refused)
    return {pair.source.split("/")[1] for pair in report.refused}


def test_masks_of_a_manifest_hide_tiles(tmp_path: Path) -> None:
    manifest = masked_places(tmp_path, {"a_2016": 0, "b_2018": 1})
    assert [image.mask for image in read_manifest(manifest)] == [
        tmp_path / "masks/a_2016.tif",
        None,
        None,
        tmp_path / "masks/b_2018.tif",
    ]
    report = prepare_manifest(manifest, tmp_path / "p.zarr")
    assert hidden(report) == {"b"}
    assert {source.split("/")[1] for source in PairStore(tmp_path / "p.zarr").read().source} == {
        "a"
    }


def test_kind_of_the_masks_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = masked_places(tmp_path, {"a_2018": CLOUD, "b_2016": CLEAR, "b_2018": CLEAR})
    out = tmp_path / "p.zarr"
    assert run(["prepare", str(manifest), "--out", str(out), "--clouds-kind", "scl"]) == 0
    assert "4 of 4 tile pairs kept, from 1 pair of rasters" in capsys.readouterr().out
    assert {source.split("/")[1] for source in PairStore(out).read().source} == {"b"}


def test_wrong_masks_are_refused(tmp_path: Path) -> None:
    manifest = masked_places(tmp_path, {"a_2018": 0})
    (tmp_path / "masks/a_2018.tif").unlink()
    with pytest.raises(MissingFileError, match=r"masks/a_2018\.tif"):
        prepare_manifest(manifest, tmp_path / "p.zarr")
    bare = masked_places(tmp_path, {})
    with pytest.raises(RequestError, match=r"kind scl in the column mask of a .* names none"):
        prepare_manifest(bare, tmp_path / "p.zarr", clouds_kind="scl")
    assert not (tmp_path / "p.zarr").exists()


def test_remote_images_and_masks_keep_their_address(tmp_path: Path) -> None:
    line = {"dataset": "d", "place": "p", "date": "2016", "path": "s3://imagery/p_2016.tif"}
    manifest = write_manifest(tmp_path, [{**line, "mask": "https://example.org/p_2016.tif"}])
    image = read_manifest(manifest)[0]
    assert (image.path, image.mask) == ("s3://imagery/p_2016.tif", "https://example.org/p_2016.tif")


@pytest.mark.parametrize(("first", "second"), [("train", "val"), ("val", "train"), ("val", "")])
def test_a_place_is_in_one_split(tmp_path: Path, first: str, second: str) -> None:
    manifest = places(tmp_path, {"a": "train", "b": "train"})
    with manifest.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["place"] == "a"]
    for row, split in zip(rows, (first, second), strict=False):
        row["split"] = split
    manifest = write_manifest(tmp_path, [dict(row) for row in rows])
    found = f"got {first} in .* line 2 and {second or 'none'} in .* line 3"
    with pytest.raises(RequestError, match=found):
        read_manifest(manifest)
