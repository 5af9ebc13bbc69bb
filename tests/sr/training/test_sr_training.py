"""Degradations, recipe and training of the super-resolution network."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sr.training.run
from preprocessing.errors import (
    DivergedError,
    MissingFileError,
    ModelFolderError,
    OutputExistsError,
    PairStoreError,
    RequestError,
)
from preprocessing.pairs.store import Pairs, PairStore
from sr.network.pretrained import load_network
from sr.network.rrdb import RRDBNet
from sr.network.texture_features import load_texture_features
from sr.network.vgg19 import VGG19Features
from sr.training.degradations import Degradation, area_downsample, gaussian_blur, jpeg
from sr.training.loop import LOG, train_sr
from sr.training.recipe import SRTrainingConfig, read_recipe
from sr.training.samples import draw_batch, read_images
from sr.training.validation import validate

_TINY = SRTrainingConfig(
    depths=(1, 2),
    depth_steps=(6, 3),
    gan_steps=3,
    crop_px=8,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=2,
    ema_decay=0.8,
    checkpoint_every=2,
    validate_every=3,
    validation_tiles=2,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of blobs with hard edges, which bicubic interpolation blurs and a network sharpens."""
    count = 6
    coarse = torch.rand(2 * count, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(coarse, size=128, mode="bicubic")
    sharp = torch.where(smooth > 0.5, 200.0, 60.0)
    soft = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1, count_include_pad=False)
    tiles = soft.round().to(torch.uint8).repeat(1, 3, 1, 1).numpy()
    path = tmp_path_factory.mktemp("sr") / "pairs.zarr"
    valid = np.ones((count, 128, 128), dtype=bool)
    valid[0, 5, 5] = False
    PairStore.create(path).append(
        Pairs(
            past=tiles[:count],
            future=tiles[count:],
            valid=valid,
            years=np.full(count, 2, dtype=np.float32),
            gsd_m=np.full(count, 0.6, dtype=np.float32),
            row=np.zeros(count, dtype=np.int32),
            col=np.zeros(count, dtype=np.int32),
            split=np.array([0, 0, 0, 0, 1, 1], dtype=np.uint8),
            source=np.array(["blocks/town/2018/2020"] * count),
        )
    )
    return path


def test_degradation_is_seeded() -> None:
    image = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    sensor = Degradation(blur_px=0.8, noise=0.02, antialias_share=0.5)
    first, again, other = (sensor(image, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (3, 3, 8, 8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_degradation_without_options_is_the_block_mean() -> None:
    image = torch.rand(2, 3, 16, 16)
    low = Degradation()(image, torch.Generator().manual_seed(0))
    blocks = image.reshape(2, 3, 4, 4, 4, 4).mean(dim=(3, 5))
    assert torch.allclose(low, blocks, atol=1e-6)


def test_jpeg_is_off_by_default_and_drawn_after_everything_else() -> None:
    image = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    options = {"blur_px": 0.8, "noise": 0.02, "antialias_share": 0.5}
    plain, stored = (
        Degradation(**options, jpeg_share=share)(image, torch.Generator().manual_seed(3))
        for share in (0.0, 0.5)
    )
    draws = torch.rand(3, 4, generator=torch.Generator().manual_seed(3))
    noiseless = area_downsample(gaussian_blur(image, 0.8 * draws[0]), 4)
    by_area = draws[1] >= 0.5
    assert by_area.any()
    assert float((plain - noiseless)[by_area].std()) < 0.02
    same = (plain == stored).flatten(1).all(dim=1)
    assert same.any()
    assert not same.all()
    levels = stored[~same] * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)


def test_jpeg_quality_and_least_values_fix_a_degradation() -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    sensor = Degradation(jpeg_share=1.0, jpeg_quality=(30, 30))
    low = area_downsample(image, 4)[0].permute(1, 2, 0)
    wanted = jpeg((low * 255).round().byte().numpy(), quality=30)
    found = sensor(image, torch.Generator().manual_seed(1))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(np.rint(found * 255), wanted)
    noisy = Degradation(noise=0.05, least_noise=0.05)
    grey = torch.full((2, 3, 256, 256), 0.5)
    spread = noisy(grey, torch.Generator().manual_seed(2)).std(dim=(1, 2, 3))
    assert torch.allclose(spread, torch.tensor(0.05), rtol=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {"jpeg_share": 1.1},
        {"jpeg_quality": (4, 50)},
        {"jpeg_quality": (60, 50)},
        {"least_noise": 0.1},
        {"blur_px": 0.5, "least_blur_px": 0.6},
    ],
)
def test_degradations_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Degradation(**options)


def test_blur_matches_a_gaussian_and_zero_keeps() -> None:
    image = torch.zeros(2, 1, 15, 15)
    image[:, :, 7, 7] = 1
    blurred = gaussian_blur(image, torch.tensor([0.0, 0.8]))
    assert torch.allclose(blurred[0], image[0], atol=1e-6)
    profile = blurred[1, 0].sum(dim=0)
    offsets = torch.arange(15) - 7.0
    assert float((profile * offsets**2).sum()) == pytest.approx(0.64, abs=0.02)
    assert float(profile.sum()) == pytest.approx(1, abs=1e-5)


def test_jpeg_loses_more_at_lower_quality() -> None:
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    errors = [np.abs(jpeg(image, quality=q).astype(float) - image).mean() for q in (95, 20)]
    assert 0 < errors[0] < errors[1]
    with pytest.raises(ValueError, match="quality"):
        jpeg(image, quality=0)


def test_batches_depend_on_seed_and_step_alone(store: Path) -> None:
    images = read_images([store], "train")
    assert len(images) == 6  # three whole pairs of the four; the one with a gap is left out
    draw = [
        draw_batch(images, batch_size=2, crop_px=32, seed=seed, step=step)
        for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
    ]
    assert draw[0].shape == (2, 3, 32, 32)
    assert draw[0].min() >= 0
    assert draw[0].max() <= 1
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert not torch.equal(draw[0], draw[3])
    with pytest.raises(PairStoreError, match="split 'test'"):
        read_images([store], "test")


def test_recipes_that_ship_are_read_by_name() -> None:
    names = ["rrdb1", "rrdb16", "rrdb23", "rrdb4"]
    assert read_recipe("rrdb4-jpeg").jpeg_share > 0
    recipes = [read_recipe(name) for name in names]
    assert [recipe.depths[-1] for recipe in recipes] == [1, 16, 23, 4]
    assert len({(recipe.psnr_steps, recipe.gan_steps) for recipe in recipes}) == 1
    assert read_recipe() == recipes[1]
    assert recipes[1].depth_at(0) == 4
    assert recipes[1].depth_at(recipes[1].total_steps) == 16
    with pytest.raises(MissingFileError, match=r"rrdb1, rrdb16, rrdb23, rrdb4, rrdb4-jpeg.*rrdb2"):
        read_recipe("rrdb2")


def test_schedule() -> None:
    config = dataclasses.replace(_TINY, depths=(1, 2), depth_steps=(100, 100), warmup_steps=10)
    assert [config.depth_at(step) for step in (0, 99, 100, 199, 200)] == [1, 1, 2, 2, 2]
    rates = [config.learning_rate_at(step) for step in range(config.total_steps)]
    assert rates[0] == pytest.approx(config.learning_rate / 10)
    assert rates[99] > 4 * rates[100]  # warm-up again after growth
    assert rates[10] > rates[50] > rates[150] > rates[199] > 0
    assert max(rates) <= config.learning_rate


def test_recipes_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    with pytest.raises(MissingFileError):
        read_recipe(path)
    path.write_text("depths = [2]\ndepth_steps = [5]\nlearning_rat = 1.0\n")
    with pytest.raises(RequestError, match="learning_rat"):
        read_recipe(path)
    path.write_text("depths = [4, 2]\ndepth_steps = [5, 5]\n")
    with pytest.raises(RequestError, match="rise"):
        read_recipe(path)
    path.write_text("depths = [")
    with pytest.raises(RequestError, match="TOML"):
        read_recipe(path)
    path.write_text("depths = [2]\ndepth_steps = [5]\n")
    assert read_recipe(path).depths == (2,)


class _KilledError(Exception):
    pass


def test_training_resumes_bit_by_bit_after_a_kill(store: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = train_sr([store], whole, _TINY, resume=False).state_dict()
    # In the first stage, just after a growth, in the adversarial phase.
    kills = iter([3, 7, 11])

    def killer(limit: int):  # type: ignore[no-untyped-def]
        def progress(done: int, total: int) -> None:
            assert total == _TINY.total_steps
            if done == limit:
                raise _KilledError

        return progress

    for limit in kills:
        with pytest.raises(_KilledError):
            train_sr([store], broken, _TINY, resume=limit > 3, progress=killer(limit))
    resumed = train_sr([store], broken, _TINY, resume=True).state_dict()
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[key], resumed[key]) for key in expected)
    records = [json.loads(line) for line in (broken / LOG).read_text().splitlines()]
    assert [record["step"] for record in records] == [3, 6, 9, 12]
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds)
    cpu = torch.device("cpu")
    assert len(load_network(broken).body) == 2
    # The folder holds a pair, of which a half is advised; alpha 0 is the PSNR network.
    halfway, faithful = (load_network(broken, alpha=a, device=cpu).state_dict() for a in (None, 0))
    apart = load_network(broken / "psnr", device=cpu).state_dict()
    for key, value in expected.items():
        # Weights are stored with 11 significant bits.
        assert torch.allclose(halfway[key], value, rtol=1e-3, atol=1e-5)
        assert torch.equal(faithful[key], apart[key])
    assert any(not torch.equal(halfway[key], apart[key]) for key in apart)
    configs = [path.read_text() for path in broken.rglob("config.json")]
    assert len(configs) == 2
    assert not any(str(tmp_path) in config for config in configs)


def test_training_refuses_to_overwrite_or_mix_recipes(store: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(_TINY, depths=(1,), depth_steps=(2,), gan_steps=0)
    with pytest.raises(ModelFolderError, match="checkpoint"):
        train_sr([store], tmp_path, config, resume=True)
    train_sr([store], tmp_path, config, resume=False)
    with pytest.raises(OutputExistsError):
        train_sr([store], tmp_path, config, resume=False)
    other = dataclasses.replace(config, learning_rate=5e-4)
    with pytest.raises(RequestError, match="learning_rate"):
        train_sr([store], tmp_path, other, resume=True)


def test_training_resumes_with_the_same_pairs_alone(store: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(_TINY, depths=(1,), depth_steps=(2,), gan_steps=0)
    train_sr([store], tmp_path / "run", config, resume=False)
    with pytest.raises(RequestError, match="other pairs"):
        train_sr([store, store], tmp_path / "run", config, resume=True)


def test_training_starts_from_a_model(store: Path, tmp_path: Path) -> None:
    first = dataclasses.replace(_TINY, gan_steps=3)
    train_sr([store], tmp_path / "first", first, resume=False)
    parent = load_network(tmp_path / "first", alpha=0.0, device=torch.device("cpu"))
    still = dataclasses.replace(_TINY, learning_rate=1e-12, gan_steps=0)
    child = train_sr([store], tmp_path / "child", still, resume=False, init=tmp_path / "first")
    for name, value in parent.state_dict().items():
        torch.testing.assert_close(child.state_dict()[name], value, rtol=1e-5, atol=1e-7)
    # The stages before the last are left out.
    record = json.loads((tmp_path / "child" / LOG).read_text().splitlines()[-1])
    assert (record["step"], record["num_blocks"]) == (3, 2)
    with pytest.raises(RequestError, match="another --init"):
        train_sr([store], tmp_path / "child", still, resume=True, init=tmp_path / "child")
    deeper = dataclasses.replace(_TINY, depths=(3,), depth_steps=(1,))
    with pytest.raises(RequestError, match="of 3 blocks for --init"):
        train_sr([store], tmp_path / "deeper", deeper, resume=False, init=tmp_path / "first")
    assert not (tmp_path / "deeper").exists()


def test_training_that_diverges_says_so(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sr.training.run, "_MOST_SKIPPED", 3)
    config = dataclasses.replace(_TINY, learning_rate=1e30, warmup_steps=0, clip_norm=1e30)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        train_sr([store], tmp_path, config, resume=False)


def test_validation_scores_what_the_recipe_degrades(store: Path) -> None:
    images = read_images([store], "val")
    network = RRDBNet(num_blocks=1, global_skip=True).eval()
    plain, noisy, again = (
        validate(network, images, sensor, seed=1, judge=load_texture_features())
        for sensor in (Degradation(), Degradation(noise=0.2, least_noise=0.2), Degradation())
    )
    assert plain == again
    assert noisy.bicubic_psnr_db < plain.bicubic_psnr_db - 3
    assert noisy.bicubic_distance > plain.bicubic_distance > 0
    # An untrained network with a global skip interpolates.
    assert plain.model_distance == pytest.approx(plain.bicubic_distance, rel=0.2)
    assert math.isnan(validate(network, images, Degradation()).model_distance)


def test_training_beats_bicubic(store: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(
        _TINY, depths=(1,), depth_steps=(80,), gan_steps=0, batch_size=4, validate_every=80
    )
    network = train_sr([store], tmp_path, config, resume=False)
    record = json.loads((tmp_path / LOG).read_text().splitlines()[-1])
    assert record["model_psnr_db"] > record["bicubic_psnr_db"] + 0.3
    assert record["model_gradient_ratio"] > record["bicubic_gradient_ratio"]
    assert record["gain_db"] == {
        "blocks": pytest.approx(record["model_psnr_db"] - record["bicubic_psnr_db"])
    }
    tile = torch.from_numpy(read_images([store], "val").read(np.arange(1))).float() / 255
    with torch.no_grad():
        assert network.eval()(area_downsample(tile, 4)).shape == tile.shape


def test_training_uses_the_features_where_they_are_at_hand(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def untrained(path: str) -> VGG19Features:
        asked.append(path)
        torch.manual_seed(0)
        return VGG19Features().requires_grad_(False)

    monkeypatch.setattr(sr.training.run, "load_vgg19", untrained)
    config = dataclasses.replace(_TINY, depths=(1,), depth_steps=(1,), gan_steps=1)
    for name, vgg in (("without", ""), ("with", "vgg19.pth")):
        recipe = dataclasses.replace(config, vgg_weights=vgg)
        train_sr([store], tmp_path / name, recipe, resume=False)
    lines = [
        json.loads((tmp_path / name / LOG).read_text().splitlines()[-1])
        for name in ("without", "with")
    ]
    assert asked == ["vgg19.pth"]
    assert ["perceptual_vgg19" in line for line in lines] == [False, True]
    assert ["perceptual_texture" in line for line in lines] == [True, False]
