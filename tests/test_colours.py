from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_cases import make_store

from forecast import colours
from forecast.colours import Colours, LandColours, kept_to
from forecast.training.data import PairData
from preprocessing.errors import ModelFolderError
from preprocessing.pair_index import PairIndex

TAN, GREEN, PINK = (
    torch.tensor(c).view(3, 1, 1) / 255
    for c in ((190.0, 170.0, 130.0), (80.0, 110.0, 60.0), (230.0, 150.0, 200.0))
)
CELL = 4 / 255


def land() -> Colours:
    return Colours.of(torch.cat([TAN.expand(3, 1, 8), GREEN.expand(3, 1, 8)], dim=1))


def test_colours_of_the_set_and_their_neighbours_stay() -> None:
    near = torch.cat([TAN, TAN + CELL, GREEN, GREEN - CELL], dim=2)
    torch.testing.assert_close(land().nearest(near), near)


def test_others_go_to_the_middle_of_the_nearest_cell() -> None:
    found = land().nearest(torch.cat([PINK, torch.zeros(3, 1, 1)], dim=2))
    torch.testing.assert_close(found, torch.cat([TAN, GREEN], dim=2), atol=CELL / 2 + 1e-4, rtol=0)


def test_values_beyond_the_range_count_as_its_ends() -> None:
    white = Colours.of(torch.ones(3, 2, 2))
    torch.testing.assert_close(
        white.nearest(torch.full((3, 1, 1), 1.2)), torch.full((3, 1, 1), 1.2)
    )
    assert white.nearest(torch.full((3, 1, 1), -0.1)).min() > 0.98


def test_pixels_are_looked_up_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    image = torch.rand(3, 20, 7, generator=torch.Generator().manual_seed(0))
    whole, near = Colours.of(image[:, :10]), land().nearest(image)
    monkeypatch.setattr(colours, "_AT_ONCE", 9)
    np.testing.assert_array_equal(Colours.of(image[:, :10]).cells, whole.cells)
    assert torch.equal(land().nearest(image), near)
    assert not torch.equal(near, image)


def test_rare_colours_are_left_out_if_asked() -> None:
    image = TAN.repeat(1, 10, 100)
    image[:, 0, 0] = PINK[:, 0, 0]
    assert int(Colours.of(image).cells.sum()) == 2
    assert int(Colours.of(image, least_share=0.002).cells.sum()) == 1


def test_an_object_that_would_turn_pink_turns_tan_as_a_whole() -> None:
    texture = 0.02 * torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(0))
    present = GREEN + texture - texture.mean(dim=(1, 2), keepdim=True)
    labels = torch.zeros(1, 6, 6, dtype=torch.int64)
    labels[:, 3:] = 1  # The other half does not change.
    change = (PINK - GREEN) * (labels == 0)
    kept = kept_to(land(), change, present, labels)
    after = (present + kept)[:, :3].mean(dim=(1, 2))
    torch.testing.assert_close(after, TAN[:, 0, 0], atol=0.02, rtol=0)
    assert kept[:, :3].std(dim=(1, 2)).max() < 1e-6  # Its texture is what it was.
    assert kept[:, 3:].abs().max() == 0


def test_what_does_not_change_keeps_a_colour_no_other_land_has() -> None:
    present = PINK.repeat(1, 4, 4)
    small = torch.full_like(present, 2 / 255)
    none = torch.zeros(0, 4, 4, dtype=torch.int64)
    assert kept_to(land(), torch.zeros_like(present), present, none).abs().max() == 0
    back = kept_to(land(), small, present, none) - small
    assert back.square().sum(dim=0).sqrt().max() <= small.square().sum(dim=0).sqrt().max() + 1e-6


def test_sets_are_fitted_by_resolution_and_kept_in_the_model_folder(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    data = PairData(PairIndex.of([store], "train", side_px=None), seed=0)
    fitted = LandColours.fit(data, factor=4)
    pixels = data.colours(np.arange(len(data.index)), factor=4)
    torch.testing.assert_close(fitted.at(0.0).nearest(pixels), pixels, atol=2 * CELL, rtol=0)
    (tmp_path / "config.json").write_text("{}")
    fitted.save(tmp_path)
    loaded = LandColours.load(tmp_path)
    assert loaded is not None
    assert loaded.gsd_m == pytest.approx(fitted.gsd_m)
    for one, other in zip(loaded.sets, fitted.sets, strict=True):
        np.testing.assert_array_equal(one.cells, other.cells)


def test_the_nearest_resolution_speaks() -> None:
    fine, coarse = Colours.of(TAN), Colours.of(GREEN)
    both = LandColours((0.6, 30.0), (fine, coarse))
    np.testing.assert_array_equal(both.at(1.0).cells, fine.cells)
    np.testing.assert_array_equal(both.at(10.0).cells, coarse.cells)
    np.testing.assert_array_equal(both.at(0.0).cells, (fine | coarse).cells)


def test_a_folder_without_sets_and_a_damaged_one(tmp_path: Path) -> None:
    assert LandColours.load(tmp_path) is None
    (tmp_path / "colours.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelFolderError, match=r"colours\.safetensors"):
        LandColours.load(tmp_path)
