"""VGG19 features before activation, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from preprocessing.errors import MissingFileError, ModelFolderError
from sr.network.vgg19 import VGG19Features, load_vgg19

# Numbers of the convolutions in torchvision's vgg19().features; the network is halved before some.
_CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
_HALVED_BEFORE = (5, 10, 19, 28)
_WIDTHS = (64, 64, 128, 128, *[256] * 4, *[512] * 8)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    channels, state = 3, {"classifier.0.bias": torch.zeros(2)}
    for number, width in zip(_CONVOLUTIONS, _WIDTHS, strict=True):
        weight = torch.randn(width, channels, 3, 3, generator=generator)
        state[f"features.{number}.weight"] = weight * (2 / 9 / channels) ** 0.5
        state[f"features.{number}.bias"] = 0.1 * torch.randn(width, generator=generator)
        channels = width
    return state


def _conv5_4(state: dict[str, Tensor], image: Tensor) -> Tensor:
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    for number in _CONVOLUTIONS:
        if number:
            x = functional.relu(x)
        if number in _HALVED_BEFORE:
            x = functional.max_pool2d(x, 2)
        weight, bias = (state[f"features.{number}.{kind}"] for kind in ("weight", "bias"))
        x = functional.conv2d(x, weight, bias, padding=1)
    return x


def test_weights_of_torchvision_fit(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "vgg19.safetensors")
    network = load_vgg19(tmp_path / "vgg19.safetensors")
    real, fake = torch.rand(2, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    fake.requires_grad_()
    features = network(real)
    assert features.shape == (1, 512, 2, 3)
    assert features.min() < 0  # Before activation.
    assert torch.allclose(features, _conv5_4(state, real), rtol=1e-4, atol=1e-4)
    distance = network.distance(real, fake)
    wanted = (_conv5_4(state, real) - _conv5_4(state, fake)).abs().mean()
    assert float(distance.detach()) == pytest.approx(float(wanted.detach()), rel=1e-3)
    distance.backward()  # type: ignore[no-untyped-call]
    assert fake.grad is not None
    assert fake.grad.abs().max() > 0
    assert all(not parameter.requires_grad for parameter in network.parameters())


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="vgg"):
        load_vgg19(tmp_path / "vgg19.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "vgg19.pth")
    with pytest.raises(ModelFolderError, match=r"names in .*vgg19"):
        load_vgg19(tmp_path / "vgg19.pth")


def test_weights_are_fetched_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    state = VGG19Features().state_dict()
    asked: list[dict[str, Any]] = []

    def fetch(address: str, **options: Any) -> dict[str, torch.Tensor]:
        asked.append({"address": address, **options})
        return {**state, "classifier.0.weight": torch.zeros(1)}

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    network = load_vgg19("download")
    assert torch.equal(network.features[0].weight, state["features.0.weight"])
    assert asked[0]["address"].endswith("vgg19-dcbb9e9d.pth")
    assert asked[0]["check_hash"] is asked[0]["weights_only"] is True

    def offline(address: str, **_: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(ModelFolderError, match="name a local file"):
        load_vgg19("download")
