"""The features that stand in for VGG19: their training, and what the shipped ones see."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from preprocessing.errors import ModelFolderError, OutputExistsError, RequestError
from preprocessing.pairs.store import Pairs, PairStore
from preprocessing.simulator import WorldConfig, simulate_world
from sr.network.rrdb import bicubic_upsample
from sr.network.texture_features import TextureFeatures, load_texture_features
from sr.training.degradations import area_downsample
from sr.training.feature_training import FeatureTrainingConfig, contrastive_loss, train_features

_TINY = FeatureTrainingConfig(
    widths=(4, 8),
    steps=6,
    batch_size=4,
    crop_px=16,
    warmup_steps=2,
    checkpoint_every=2,
    validate_every=3,
    validation_tiles=4,
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tiles() -> torch.Tensor:
    """Four tiles of a simulated world, `(4, 3, 128, 128)`, 0..1."""
    config = WorldConfig(height=256, width=256, years=2, seed=96_000)
    image = torch.from_numpy(np.asarray(simulate_world(config).rasters[0].data, np.float32))
    patches = image.unfold(1, 128, 128).unfold(2, 128, 128)
    return patches.permute(1, 2, 0, 3, 4).reshape(4, 3, 128, 128)


@pytest.fixture(scope="module")
def store(tiles: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "pairs.zarr"
    pixels = (tiles * 255).round().to(torch.uint8).numpy()
    PairStore.create(path).append(
        Pairs(
            past=pixels,
            future=pixels[::-1].copy(),
            valid=np.ones((4, 128, 128), dtype=bool),
            years=np.full(4, 2, dtype=np.float32),
            gsd_m=np.full(4, 0.6, dtype=np.float32),
            row=np.arange(4, dtype=np.int32),
            col=np.zeros(4, dtype=np.int32),
            split=np.array([0, 0, 1, 1], dtype=np.uint8),
            source=np.array(["world/one/2018/2020"] * 4),
        )
    )
    return path


def test_the_loss_is_the_cross_entropy_of_the_right_answer() -> None:
    a, b, dull = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)).unbind()
    cosine = functional.cosine_similarity
    expected = 0.0
    for i in range(5):
        scores = torch.stack([cosine(a[i], x, dim=0) / 0.2 for x in (*b, *dull)])
        expected += float(scores.logsumexp(0) - scores[i]) / 5
    assert float(contrastive_loss(a, b, dull, 0.2)) == pytest.approx(expected, rel=1e-5)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(store: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    with pytest.raises(RequestError, match="without --resume"):
        train_features([store], whole, _TINY, resume=True)
    train_features([store], whole, _TINY, resume=False)

    def stop(step: int, _: int) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_features([store], stopped, _TINY, resume=False, progress=stop)
    with pytest.raises(OutputExistsError):
        train_features([store], stopped, _TINY, resume=False)
    with pytest.raises(RequestError, match="another recipe"):
        train_features([store], stopped, dataclasses.replace(_TINY, seed=1), resume=True)
    train_features([store], stopped, _TINY, resume=True)
    assert (stopped / "log.jsonl").read_text() == (whole / "log.jsonl").read_text()
    for ours, theirs in zip(
        load_texture_features(stopped).parameters(),
        load_texture_features(whole).parameters(),
        strict=True,
    ):
        assert torch.equal(ours, theirs)
    assert [json.loads(x)["step"] for x in (whole / "log.jsonl").open()] == [3, 6]
    modes = {path.stat().st_mode for path in whole.glob("*.safetensors")}
    assert modes == {(whole / "config.json").stat().st_mode}


def test_recipes_that_cannot_work_are_refused() -> None:
    with pytest.raises(RequestError, match="multiple of 4"):
        FeatureTrainingConfig(crop_px=50)
    with pytest.raises(RequestError, match="to 128"):
        FeatureTrainingConfig(crop_px=132)
    with pytest.raises(RequestError, match="at least two tiles"):
        FeatureTrainingConfig(batch_size=1)
    with pytest.raises(RequestError, match="widths"):
        FeatureTrainingConfig(widths=())
    for name in ("learning_rate", "temperature", "validation_tiles"):
        with pytest.raises(RequestError, match=name):
            FeatureTrainingConfig(**{name: 0})  # type: ignore[arg-type]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelFolderError, match="train features"):
        load_texture_features(tmp_path)


def test_the_distance_sends_gradients_into_the_second_image_only(tiles: torch.Tensor) -> None:
    features = TextureFeatures(widths=(4, 8))
    real, fake = tiles.clone().requires_grad_(), (tiles * 0.9).requires_grad_()
    features.distance(real, fake).backward()
    assert real.grad is None
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0


def test_the_shipped_features_see_lost_detail(tiles: torch.Tensor) -> None:
    features = load_texture_features()
    inner = tiles[..., 8:-8, 8:-8]
    dull = bicubic_upsample(area_downsample(inner, 4), 4)
    shifted = tiles[..., 8:-8, 9:-7]
    assert float(features.distance(inner, inner)) == 0.0
    # Pixel by pixel the shifted image is not much nearer than the blurred one; by texture it is.
    by_pixel = functional.l1_loss(shifted, inner) / functional.l1_loss(dull, inner)
    by_texture = features.distance(inner, shifted) / features.distance(inner, dull)
    assert float(by_texture) < 0.9 * float(by_pixel)
