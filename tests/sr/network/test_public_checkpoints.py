"""Public checkpoints of RRDB networks, pairs of networks, and names of models."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from preprocessing.errors import ModelFolderError, RequestError
from sr.network.interpolation import blend, interpolate
from sr.network.pretrained import PSNR_FOLDER, SHIPPED, load_network, network_sha256
from sr.network.rrdb import RRDBNet

_CPU = torch.device("cpu")


def _network(num_blocks: int = 2, *, seed: int = 0, **given: Any) -> RRDBNet:
    torch.manual_seed(seed)
    network: RRDBNet = RRDBNet(num_blocks=num_blocks, num_features=8, growth_channels=4, **given)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.eval()
    return network


def _basicsr(key: str) -> str:
    return key


def _first_release(key: str) -> str:
    key = re.sub(r"^body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0", key)
    for ours, theirs in {
        "conv_first": "model.0",
        "conv_body": "model.1.sub.2",  # Behind the two blocks.
        "conv_up1": "model.3",
        "conv_up2": "model.6",
        "conv_hr": "model.8",
        "conv_last": "model.10",
    }.items():
        key = re.sub(rf"^{ours}\.", f"{theirs}.", key)
    return key


def _rewritten(key: str) -> str:
    key = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", key)
    for ours, theirs in {
        "conv_body": "trunk_conv",
        "conv_up1": "upconv1",
        "conv_up2": "upconv2",
        "conv_hr": "HRconv",
    }.items():
        key = re.sub(rf"^{ours}\.", f"{theirs}.", key)
    return key


def _renamed(network: RRDBNet, name: Callable[[str], str]) -> dict[str, Tensor]:
    return {name(key): value.clone() for key, value in network.state_dict().items()}


def _equal(ours: RRDBNet, theirs: RRDBNet) -> bool:
    image = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("naming", [_basicsr, _first_release, _rewritten])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_naming_gives_the_same_network(
    naming: Callable[[str], str], prefix: str, tmp_path: Path
) -> None:
    network = _network()
    state = _renamed(network, lambda key: prefix + naming(key))
    assert (set(state) == set(network.state_dict())) == (naming is _basicsr and not prefix)
    save_file(state, tmp_path / "net.safetensors")
    loaded = load_network(tmp_path / "net.safetensors", device=_CPU)
    assert _equal(loaded, network)
    config = loaded.config
    assert (config.num_blocks, config.num_features, config.growth_channels) == (2, 8, 4)
    assert not loaded.training


@pytest.mark.parametrize("wrapper", [None, "params", "params_ema", "state_dict"])
def test_pickles_are_read_only_when_asked_for(wrapper: str | None, tmp_path: Path) -> None:
    network = _network()
    state: dict[str, Any] = _renamed(network, _rewritten)
    # Averaged weights go before the others.
    stored = {"params": _network(seed=5).state_dict(), wrapper: state} if wrapper else state
    path = tmp_path / "net.pth"
    torch.save(stored, path)
    with pytest.raises(ModelFolderError, match=r"--allow-pickle.*"):
        load_network(path)
    assert _equal(load_network(path, allow_pickle=True, device=_CPU), network) == (
        wrapper != "state_dict"  # `params` goes before it.
    )
    disguised = path.rename(tmp_path / "net.safetensors")
    with pytest.raises(ModelFolderError, match="pickle"):
        load_network(disguised)


def test_a_pickle_with_code_is_not_run(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"params": Code()}, tmp_path / "net.pth")
    with pytest.raises(ModelFolderError, match=r"other objects in .*net\.pth"):
        load_network(tmp_path / "net.pth", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


def _without(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if part not in key}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (_without(_network().state_dict(), "body.1.rdb2"), r"body\.1\.rdb2"),
        (_without(_network().state_dict(), "body.0"), "RRDB network"),
        (_network().state_dict() | {"body.0.conv1x1.weight": torch.zeros(1)}, "conv1x1"),
        ({"body.0.weight": torch.zeros(2, 3, 3, 3)}, r"got 1 entries \(body\.0\.weight"),
        ({}, "got nothing"),
        (_network(in_channels=12).state_dict(), "enlarges by 2"),
        (_network(in_channels=48).state_dict(), "enlarges by 1"),
    ],
)
def test_other_networks_are_refused(state: dict[str, Tensor], said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(state, path)
    with pytest.raises(ModelFolderError, match=said) as caught:
        load_network(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x80\x02broken", b"PK\x03\x04cut"])
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_damaged_files_are_refused(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFolderError, match="net"):
        load_network(tmp_path / name, allow_pickle=True)
    with pytest.raises(ModelFolderError, match="net"):
        load_network(tmp_path / name)


def test_weights_of_a_model_folder_keep_their_config(tmp_path: Path) -> None:
    network = _network(global_skip=True)
    network.save_pretrained(tmp_path)
    by_file = load_network(tmp_path / "diffusion_pytorch_model.safetensors", device=_CPU)
    assert by_file.config.global_skip
    assert _equal(by_file, network)


def test_shipped_models_load_by_name() -> None:
    shipped = load_network(SHIPPED.name, device=_CPU)
    assert len(shipped.body) == 16
    with pytest.raises(RequestError, match="rrdb17"):
        load_network("rrdb17")


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A folder of an adversarial network, which advises a quarter of it."""
    folder = tmp_path / "pair"
    _network(seed=1).save_pretrained(folder / PSNR_FOLDER)
    _network(seed=2, alpha=0.25).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("alpha", [None, 0.0, 0.3, 1.0])
def test_alpha_goes_from_the_psnr_to_the_adversarial_network(
    pair: Path, alpha: float | None
) -> None:
    a, b = (_network(seed=seed).state_dict() for seed in (1, 2))
    share = 0.25 if alpha is None else alpha
    loaded = load_network(pair, alpha=alpha, device=_CPU)
    for key, value in loaded.state_dict().items():
        assert torch.allclose(value, (1 - share) * a[key] + share * b[key], atol=1e-6)
    assert loaded.config.alpha is None  # Saved again, it stands alone.


def test_alpha_needs_a_pair_and_a_share(pair: Path, tmp_path: Path) -> None:
    for wrong in (-0.1, 1.1):
        with pytest.raises(RequestError, match=r"--alpha in 0\.\.1"):
            load_network(pair, alpha=wrong)
    # A blend beside its PSNR network, as earlier versions wrote it: no pair, but it loads.
    old = tmp_path / "old"
    _network(seed=1).save_pretrained(old / PSNR_FOLDER)
    _network(seed=3).save_pretrained(old)
    assert _equal(load_network(old, device=_CPU), _network(seed=3))
    save_file(_network().state_dict(), tmp_path / "net.safetensors")
    for single in (old, tmp_path / "net.safetensors"):
        with pytest.raises(ModelFolderError, match="pair of networks"):
            load_network(single, alpha=0.5)
    _network(3, seed=1).save_pretrained(pair / PSNR_FOLDER)
    with pytest.raises(ModelFolderError, match="networks differ"):
        load_network(pair)


def test_hash_of_a_pair_depends_on_both_and_on_alpha(pair: Path) -> None:
    hashes = {network_sha256(pair)}
    _network(seed=4).save_pretrained(pair / PSNR_FOLDER)
    hashes.add(network_sha256(pair))
    _network(seed=2, alpha=0.5).save_pretrained(pair)
    hashes.add(network_sha256(pair))
    assert len(hashes) == 3


def test_interpolation_of_networks() -> None:
    a, b = _network(1, seed=1).state_dict(), _network(1, seed=2).state_dict()
    assert all(torch.equal(interpolate(a, b, 0.0)[key], a[key]) for key in a)
    assert all(torch.equal(interpolate(a, b, 1.0)[key], b[key]) for key in a)
    middle = interpolate(a, b, 0.5)["conv_first.weight"]
    assert torch.allclose(middle, (a["conv_first.weight"] + b["conv_first.weight"]) / 2)
    with pytest.raises(ValueError, match="differ"):
        interpolate(a, _network(2).state_dict(), 0.5)


def test_blend_of_networks_of_other_width_is_refused() -> None:
    narrow = RRDBNet(num_blocks=2, num_features=4, growth_channels=4)
    with pytest.raises(ModelFolderError, match="one shape"):
        blend(narrow, _network(), 0.5)


def test_upscaling_with_a_checkpoint_and_with_a_pair(pair: Path, tmp_path: Path) -> None:
    from app.cli.entry import run

    source, model = tmp_path / "in.png", tmp_path / "net.pth"
    image = np.random.default_rng(0).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    cv2.imwrite(str(source), image)
    torch.save({"params_ema": _renamed(_network(), _first_release)}, model)

    def upscaled(name: str, *options: str) -> Any:
        out = tmp_path / f"{name}.png"
        code = run(["upscale", str(source), "--out", str(out), *options])
        return cv2.imread(str(out)) if code == 0 else code

    assert upscaled("refused", "--model", str(model)) == 2
    read = upscaled("read", "--model", str(model), "--allow-pickle")
    assert read.shape == (48, 48, 3)
    ends = [upscaled(alpha, "--model", str(pair), "--alpha", alpha) for alpha in ("0", "1")]
    assert (ends[0] != ends[1]).any()
