from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ground_cases import made_place
from pair_store_cases import make_store
from series_cases import made_series

import forecast.training.assemble as assemble
from app.training.forecast import train_forecast
from forecast.training.assemble import assemble_places, labels_of, world_place
from forecast.training.place_tensors import UNKNOWN, GroundPlace
from forecast.training.portable import load_places, save_places
from preprocessing.errors import ModelFolderError, OutputExistsError, PairStoreError, RequestError
from preprocessing.pairs.store import PairStore
from preprocessing.series import PlaceSeries

YEARS = tuple(float(year) for year in range(2010, 2020))


def test_labels_find_the_town_that_grows() -> None:
    place = made_series(years=YEARS)
    labels = labels_of(place)
    assert all(0 < i < j < len(YEARS) - 1 for i, j in labels)
    grown = labels[4, 7].astype(float)
    # Between these dates the front moves from column 24 to 36.
    assert grown[:, 6:9].mean() > 5 * grown[:, 12:].mean()
    assert labels_of(place.at([0, 1, 2])) == {}


def test_colours_of_all_dates_lead_to_those_of_the_last() -> None:
    place = made_series(years=YEARS)
    ground = GroundPlace.of(place, {})
    values = place.cells()[2].reshape(3, -1) / 255
    mapped = ground.colours[2, :, :3] @ values + ground.colours[2, :, 3:]
    wanted = place.cells_in_colours_of(-1)[0][2].reshape(3, -1) / 255
    assert np.allclose(mapped, wanted, atol=1e-4)


def test_worlds_are_labelled_by_their_covers() -> None:
    world = world_place(10_000, size=128)
    again = world_place(10_000, size=128)
    assert np.array_equal(world.images, again.images)
    assert all(set(np.unique(label)) <= {0, 254} for label in world.labels.values())
    assert UNKNOWN not in np.unique(list(world.labels.values()))
    assert world.gsd_m > 0


def test_stores_and_worlds_become_training_places(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemble, "world_place", lambda seed: made_ground(f"world_{seed}"))
    done: list[tuple[int, int]] = []
    train, val = assemble_places([store], worlds=10, progress=lambda *at: done.append(at))
    assert [place.name for place in val] == ["val", "world_10009"]
    assert train[0].name == "train"
    assert len(train) == 10
    assert done[-1] == (12, 12)


def test_training_refuses_a_folder_in_use_and_takes_a_file_of_places(
    store: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "block_out_channels = [32, 32]\nsteps = 1\nbatch_size = 2\nwarmup_steps = 1\nworlds = 0\n"
    )
    out = train_forecast([store], tmp_path / "model", recipe)
    with pytest.raises(OutputExistsError, match="--resume"):
        train_forecast([store], out, recipe)
    places = out / "training" / "places.npz"
    assert [place.name for place in load_places(places)[0]] == ["train"]
    again = train_forecast([places], tmp_path / "again", recipe)
    weights = [(f / "diffusion_pytorch_model.safetensors").read_bytes() for f in (out, again)]
    assert weights[0] == weights[1]


def test_pairs_are_places_of_two_dates_without_labels(tmp_path: Path) -> None:
    stored = make_store(tmp_path / "pairs.zarr")
    train, val = assemble_places([stored], worlds=0)
    assert (len(train), len(val)) == (8, 4)
    pairs = PairStore(stored).read("train")
    for number, place in enumerate(train):
        assert place.labels == {}
        assert place.years.tolist() == [0, pairs.years[number]]
        assert np.array_equal(place.images, [pairs.past[number], pairs.future[number]])
        assert place.dataset == "toy"
    with pytest.raises(PairStoreError, match="none"):
        assemble_places([tmp_path / "none.zarr"], worlds=0)


def test_pairs_alone_tell_nothing_of_lasting_change(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "block_out_channels = [32, 32]\nsteps = 2\nbatch_size = 2\nwarmup_steps = 1\nworlds = 0\n"
    )
    stored = make_store(tmp_path / "pairs.zarr")
    with pytest.raises(RequestError, match="labelled with what changed lastingly, found none"):
        train_forecast([stored], tmp_path / "m", recipe)
    with pytest.raises(RequestError, match="without --resume"):
        train_forecast([stored], tmp_path / "other", recipe, resume=True)


def test_wrong_models_and_other_data_are_refused_before_any_work(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("block_out_channels = [32, 32]\nsteps = 2\nbatch_size = 2\nworlds = 0\n")
    places = tmp_path / "places.npz"
    save_places(places, [made_place(seed=1)], [])
    with pytest.raises(ModelFolderError, match="nosuch"):
        train_forecast([places], tmp_path / "m", recipe, init="nosuch")
    assert not (tmp_path / "m").exists() or not any((tmp_path / "m").iterdir())
    with pytest.raises(PairStoreError, match="missing"):
        train_forecast([tmp_path / "missing.zarr"], tmp_path / "m", recipe)
    assert not (tmp_path / "m").exists() or not any((tmp_path / "m").iterdir())
    out = train_forecast([places], tmp_path / "m", recipe)
    other = tmp_path / "others.npz"
    save_places(other, [made_place(seed=3)], [])
    with pytest.raises(RequestError, match=r"others\.npz and 0; repeat them"):
        train_forecast([other], out, recipe, resume=True)
    recipe.write_text(recipe.read_text().replace("worlds = 0", "worlds = 2"))
    with pytest.raises(RequestError, match=r"places\.npz and 0 worlds"):
        train_forecast([places], out, recipe, resume=True)


def test_the_last_step_is_kept_where_nothing_is_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = tmp_path / "places.npz"
    save_places(places, [made_place(seed=1)], [])
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        "block_out_channels = [32, 32]\nsteps = 3\nbatch_size = 2\nvalidate_every = 1\nworlds = 0\n"
    )
    out = train_forecast([places], tmp_path / "m", recipe)
    assert json.loads((out / "training.json").read_text())["step"] == 3
    assert "no place of the split val is labelled" in caplog.text


def made_ground(name: str) -> GroundPlace:
    return GroundPlace.of(made_series(years=YEARS[:4], name=name), {})


class HeldStore:
    """Two places in memory instead of a store on disk."""

    def __init__(self) -> None:
        self.places = {
            split: made_series(years=YEARS[:6], name=split, split=split)
            for split in ("train", "val", "test")
        }
        self.labels = {
            name: SimpleNamespace(split=name, dates=place.years)
            for name, place in self.places.items()
        }

    def place(self, name: str) -> PlaceSeries:
        return self.places[name]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(assemble.SeriesStore, "open", lambda path: HeldStore())
    return "series.zarr"
