"""Stores and rasters behind addresses: training and scores over HTTP, buckets that want a key."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pair_store_cases import make_store
from prepare_cases import dated, write
from servers.range_server import serve_folder

from app.cli.entry import run
from preprocessing.errors import LandcastError, PairStoreError, UnreadableRasterError
from preprocessing.pairs.store import PairStore
from preprocessing.rasters.io import RasterSource
from preprocessing.rasters.window import Window
from preprocessing.series.pair_index import PairIndex

pytest.importorskip("s3fs")
from servers.signed_bucket import signed_bucket

RECIPE = """
block_out_channels = [32, 32]
steps = 2
batch_size = 2
warmup_steps = 1
validate_every = 2
worlds = 1
"""


def test_training_and_scores_of_a_store_behind_a_web_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_store(tmp_path / "served" / "pairs.zarr")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    model, scores = tmp_path / "model", tmp_path / "scores"
    with serve_folder(tmp_path / "served") as (address, sent):
        url = f"{address}/pairs.zarr"
        train = ["train", "forecast", url, "--out", str(model)]
        assert run([*train, "--config", str(tmp_path / "tiny.toml")]) == 0
        learnt = sum(size for _, size in sent)
        score = ["--out", str(scores), "--pairs", "4", "--members", "2"]
        assert run(["evaluate", str(model), url, *score]) == 0
        assert sum(size for _, size in sent) > learnt > 0
        assert run(["evaluate", str(model), f"{address}/none.zarr", "--out", f"{scores}-2"]) == 2
    assert f"{address}/none.zarr" in capsys.readouterr().err
    assert json.loads((scores / "scores.json").read_text())["pairs"] == 4
    assert list(model.glob("*.safetensors"))


def test_pairs_of_folders_and_addresses_are_read_together(tmp_path: Path) -> None:
    path = make_store(tmp_path / "pairs.zarr", n=8)
    with serve_folder(tmp_path) as (address, _):
        index = PairIndex.of([path, f"{address}/pairs.zarr"], "train")
        pairs = index.read(np.arange(len(index)))
        with pytest.raises(PairStoreError, match=f"'test' in {address}/pairs.zarr"):
            # What pathlib makes of an address is named as it was meant.
            PairIndex.of([Path(f"{address}/pairs.zarr")], "test")
    np.testing.assert_array_equal(pairs.past[:4], pairs.past[4:])


def test_a_raster_in_a_bucket_that_wants_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raster = dated(2019, size=130)
    write(tmp_path / "imagery" / "town_2019.tif", raster)
    with signed_bucket(tmp_path, monkeypatch) as sent:
        part = RasterSource.open("s3://imagery/town_2019.tif").read(Window(0, 0, 32, 32))
    assert sent
    np.testing.assert_allclose(part.data, raster.data[:, :32, :32], atol=0.003)


def test_a_store_in_a_bucket_that_wants_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = PairStore(make_store(tmp_path / "bucket" / "pairs.zarr", n=4)).read()
    with signed_bucket(tmp_path, monkeypatch) as sent:
        pairs = PairStore("s3://bucket/pairs.zarr", storage_options=FRESH).read()
    assert sent
    np.testing.assert_array_equal(pairs.past, stored.past)


@pytest.mark.parametrize(
    ("name", "error"),
    [("town_2019.tif", UnreadableRasterError), ("pairs.zarr", PairStoreError)],
)
def test_a_wrong_key_is_an_error(
    name: str, error: type[LandcastError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "locked" / "town_2019.tif", dated(2019, size=130))
    make_store(tmp_path / "locked" / "pairs.zarr", n=2)
    options = {} if name.endswith(".tif") else {"storage_options": FRESH}
    open_it = RasterSource.open if name.endswith(".tif") else PairStore
    with signed_bucket(tmp_path, monkeypatch, key="wrong") as sent, pytest.raises(error):
        open_it(f"s3://locked/{name}", **options)
    assert not sent


FRESH = {"skip_instance_cache": True}
"""Without it s3fs takes the connection of the test before, with its address and key."""
