"""Examples and training of the guided network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from pair_store_cases import make_store
from torch import Tensor
from torch.nn import functional

from app.cli.entry import run
from preprocessing.errors import (
    MissingFileError,
    OutputExistsError,
    PairStoreError,
    RequestError,
)
from sr.lift.network import load_guided
from sr.lift.packed_tiles import pack_tiles, unpack_tiles
from sr.lift.pairs import read_pair_tiles
from sr.lift.recipe import GuidedTrainingConfig, read_guided_recipe
from sr.lift.samples import Mixture, draw_examples
from sr.lift.training import train_guided
from sr.training.degradations import area_downsample

TINY = GuidedTrainingConfig(
    num_blocks=1,
    num_features=8,
    growth_channels=4,
    head_features=16,
    crop_px=32,
    batch_size=4,
    steps=8,
    warmup_steps=2,
    gan_share=0.5,
    checkpoint_every=2,
    validate_every=4,
    validation_tiles=2,
)


def _tiles(count: int = 6, seed: int = 0) -> Tensor:
    """Earlier dates of soft texture; later dates are other texture in one corner."""
    generator = torch.Generator().manual_seed(seed)

    def texture() -> Tensor:
        noise = torch.rand(count, 3, 64, 64, generator=generator)
        return functional.interpolate(noise, size=128, mode="bicubic").clamp(0, 1)

    earlier = texture()
    later = earlier.clone()
    later[..., :48, :48] = texture()[..., :48, :48]
    return (torch.stack([earlier, later], dim=1) * 255).round().byte()


@pytest.mark.parametrize("whole", [0.0, 1.0])
@pytest.mark.parametrize("drawn", [0.0, 1.0])
def test_targets_have_the_means_asked_for_and_copies_where_nothing_changes(
    whole: float, drawn: float
) -> None:
    example = draw_examples(
        _tiles(), Mixture(whole=whole, drawn=drawn, noisy=1.0), batch_size=16, crop_px=64, seed=1
    )
    assert example.target.shape == (16, 3, 64, 64)
    assert (area_downsample(example.observed, 4) - example.present).abs().max() == 0
    assert (area_downsample(example.target, 4) - example.future).abs().max() < 2e-6
    same = (example.future == example.present).all(dim=1, keepdim=True)
    same = same.repeat_interleave(4, -1).repeat_interleave(4, -2).expand_as(example.target)
    assert torch.equal(example.target[same], example.observed[same])
    assert 0.1 < same.float().mean() < 0.99


def test_whole_pairs_without_noise_are_the_later_date() -> None:
    tiles = _tiles(1)
    mixture = Mixture(whole=1.0, noisy=0.0, contrast=(1.0, 1.0))
    example = draw_examples(tiles, mixture, batch_size=64, crop_px=128, seed=0)
    views = _all_views(tiles[0])
    assert {x.numpy().tobytes() for x in example.target} <= views
    assert {x.numpy().tobytes() for x in example.observed} <= views


def _all_views(dates: Tensor) -> set[bytes]:
    found = set()
    for date in dates.float() / 255:
        for bands in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            for turns in range(4):
                view = date[list(bands)].rot90(turns, dims=(1, 2))
                for image in (view, view.flip(2)):
                    # As `draw_examples` applies a contrast of 1.
                    found.add(
                        (0.5 + (image - 0.5) * 1.0).clamp(0, 1).contiguous().numpy().tobytes()
                    )
    return found


def test_examples_depend_on_the_seed_alone() -> None:
    one, same, other = (
        draw_examples(_tiles(), Mixture(), batch_size=8, crop_px=32, seed=seed)
        for seed in (3, 3, 4)
    )
    assert torch.equal(one.target, same.target)
    assert torch.equal(one.future, same.future)
    assert not torch.equal(one.target, other.target)


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    tiles, held_out = _tiles(), _tiles(2, seed=1)
    cpu = torch.device("cpu")
    whole = train_guided(
        tiles, held_out, tmp_path / "whole", TINY, resume=False, device=cpu
    ).state_dict()

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 0.75 * total:
            raise StoppedError

    part = tmp_path / "part"
    with pytest.raises(StoppedError):
        train_guided(tiles, held_out, part, TINY, resume=False, device=cpu, progress=stop)
    resumed = train_guided(tiles, held_out, part, TINY, resume=True, device=cpu)
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, whole[name]), name
    read = load_guided(part, device=cpu).state_dict()
    assert torch.equal(read["conv_last.weight"], whole["conv_last.weight"].half().float())
    before = load_guided(part / "psnr", device=cpu).state_dict()
    assert not torch.equal(before["conv_last.weight"], read["conv_last.weight"])

    with pytest.raises(OutputExistsError):
        train_guided(tiles, held_out, part, TINY, resume=False, device=cpu)
    with pytest.raises(RequestError, match="recipe"):
        train_guided(
            tiles, held_out, part, dataclasses.replace(TINY, seed=1), resume=True, device=cpu
        )
    with pytest.raises(RequestError, match="pairs"):
        train_guided(held_out, held_out, part, TINY, resume=True, device=cpu)


def test_training_starts_from_the_weights_of_a_model(tmp_path: Path) -> None:
    tiles, held_out, cpu = _tiles(), _tiles(2, seed=1), torch.device("cpu")
    still = dataclasses.replace(TINY, learning_rate=1e-12, gan_learning_rate=1e-12)
    train_guided(tiles, held_out, tmp_path / "first", TINY, resume=False, device=cpu)
    first = load_guided(tmp_path / "first", device=cpu).state_dict()
    second = train_guided(
        tiles,
        held_out,
        tmp_path / "second",
        still,
        init=tmp_path / "first",
        resume=False,
        device=cpu,
    )
    for name, value in second.state_dict().items():
        torch.testing.assert_close(value, first[name], rtol=0, atol=1e-6, msg=name)
    with pytest.raises(RequestError, match="--init"):
        train_guided(tiles, held_out, tmp_path / "second", still, resume=True, device=cpu)
    with pytest.raises(RequestError, match="shape"):
        train_guided(
            tiles,
            held_out,
            tmp_path / "third",
            dataclasses.replace(TINY, num_features=4),
            init=tmp_path / "first",
            resume=False,
            device=cpu,
        )


def test_it_learns_that_detail_of_changed_ground_is_gone(tmp_path: Path) -> None:
    """Later dates are flat: nothing of the earlier detail holds, and the network finds out."""
    tiles = _tiles(8)
    tiles[:, 1] = tiles[:, 1].float().mean(dim=(2, 3), keepdim=True).round().byte()
    recipe = dataclasses.replace(
        TINY,
        steps=60,
        warmup_steps=5,
        gan_share=0.0,
        whole=1.0,
        learning_rate=0.01,
        ema_decay=0.8,
        validate_every=60,
        checkpoint_every=60,
    )
    network = train_guided(
        tiles, tiles[:2], tmp_path / "m", recipe, resume=False, device=torch.device("cpu")
    )
    earlier = tiles[:2, 0].float() / 255
    present = area_downsample(earlier, 4)
    future = torch.full_like(present, 0.5)
    with torch.no_grad():
        left = network(earlier, present, future).std()
        at_first = recipe.build()(earlier, present, future).std()
    assert left < 0.35 * at_first


def test_time_ends_the_schedule_as_steps_do() -> None:
    recipe = dataclasses.replace(TINY, minutes=2.0)
    assert recipe.share_done(0, 60.0) == 0.5
    assert recipe.share_done(1000, 500.0) == 1.0
    assert TINY.share_done(6, 500.0) == 0.75
    rates = [recipe.learning_rate_at(share, 100) for share in (0.0, 0.25, 0.499, 0.5, 0.999)]
    assert rates[0] == pytest.approx(recipe.learning_rate)
    assert rates[0] > rates[1] > rates[2]
    assert rates[3] == pytest.approx(recipe.gan_learning_rate)
    assert rates[4] == pytest.approx(0.1 * recipe.gan_learning_rate, rel=0.01)


def test_shipped_recipes_are_read_and_wrong_ones_refused() -> None:
    assert read_guided_recipe().num_blocks == 16
    assert read_guided_recipe("guided1").num_blocks == 1
    with pytest.raises(RequestError, match="crop_px"):
        dataclasses.replace(TINY, crop_px=30)
    with pytest.raises(ValueError, match="shares"):
        Mixture(whole=1.5)


def test_gaps_of_pairs_take_the_earlier_date(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    tiles = read_pair_tiles([store], "train", complete=False)
    assert tiles.shape == (8, 2, 3, 128, 128)
    assert len(read_pair_tiles([store], "val", complete=True, most=3)) == 3
    with pytest.raises(PairStoreError, match="test"):
        read_pair_tiles([store], "test", complete=True)


def test_command_trains_a_model_folder(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pairs.zarr")
    recipe = tmp_path / "recipe.toml"
    values = dataclasses.asdict(TINY) | {"steps": 2, "checkpoint_every": 1}
    recipe.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
    out = tmp_path / "model"
    arguments = ["train", "lift", str(store), "--config", str(recipe), "--out", str(out)]
    assert run(arguments) == 0
    assert load_guided(out).config.num_features == 8

    packed = tmp_path / "tiles.npz"
    assert run(["train", "pack", str(store), "--out", str(packed), "--pairs", "4"]) == 0
    assert run(["train", "pack", str(store), "--out", str(packed)]) == 2
    timed = ["train", "lift", str(packed), "--config", str(recipe), "--minutes", "0.05"]
    assert run([*timed, "--out", str(tmp_path / "timed")]) == 0
    assert load_guided(tmp_path / "timed").config.num_features == 8


def test_packed_tiles_are_nearly_the_same_and_others_refused(tmp_path: Path) -> None:
    tiles, held_out = (
        functional.interpolate(
            _tiles(n)[..., ::8, ::8].flatten(1, 2).float(), size=128, mode="bilinear"
        )
        .unflatten(1, (2, 3))
        .byte()
        for n in (3, 2)
    )
    pack_tiles(tmp_path / "tiles.npz", tiles, held_out)
    read = unpack_tiles(tmp_path / "tiles.npz")
    for found, true in zip(read, (tiles, held_out), strict=True):
        assert found.dtype == torch.uint8
        assert found.shape == true.shape
        assert (found.float() - true.float()).abs().mean() < 2
    assert (tmp_path / "tiles.npz").stat().st_size < tiles.numel() / 4
    (tmp_path / "other.npz").write_bytes(b"nothing")
    with pytest.raises(PairStoreError, match="pack"):
        unpack_tiles(tmp_path / "other.npz")
    with pytest.raises(MissingFileError):
        unpack_tiles(tmp_path / "none.npz")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_recorded_passes_learn_what_single_kernels_learn(tmp_path: Path) -> None:
    tiles, found = _tiles(), []
    for graphs in (True, False):
        recipe = dataclasses.replace(TINY, steps=6, gan_share=0.0, cuda_graphs=graphs)
        out = tmp_path / str(graphs)
        network = train_guided(tiles, tiles[:2], out, recipe, resume=False)
        found.append(network.conv_last.weight.detach().cpu())
    assert (found[0] - found[1]).abs().max() < 0.05 * found[1].abs().max()
