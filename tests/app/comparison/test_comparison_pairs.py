"""`landcast compare` of models that are a PSNR and an adversarial network."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pictures import picture
from upscale_cases import bicubic_network, made_network

from app.cli.entry import run
from app.comparison.methods import Method, networks
from preprocessing.errors import RequestError
from sr.network import pretrained
from sr.network.inference import upscale_batch
from sr.network.pretrained import PSNR_FOLDER, is_pair, load_network
from sr.network.rrdb import RRDBNet


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks") / "single"
    bicubic_network().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks that differ, advised is the middle."""
    folder = tmp_path_factory.mktemp("networks") / "pair"
    adversarial, psnr = made_network(1), made_network(2)
    adversarial.register_to_config(alpha=0.5)
    adversarial.save_pretrained(folder)
    psnr.save_pretrained(folder / PSNR_FOLDER)
    return folder


def _low() -> np.ndarray:
    return (picture(16, 16).transpose(1, 2, 0) / 255).astype(np.float32)


def _run(method: Method) -> np.ndarray:
    return method.run(_low())


def _expected(network: RRDBNet) -> np.ndarray:
    low = torch.from_numpy(_low()).permute(2, 0, 1)[None]
    return upscale_batch(network, low)[0].clamp(0, 1).permute(1, 2, 0).numpy()


def test_both_ends_of_a_pair_and_a_blend(pair: Path, single: Path) -> None:
    assert is_pair(pair)
    assert not is_pair(single)
    assert not is_pair(pair / "none")
    found = {method.name: method for method in networks([str(pair), str(single)], alpha=0.25)}
    plain = ["pair PSNR", "pair GAN", "pair alpha 0.25", "single"]
    assert set(found) == {*plain, *(f"non-local means, {name}" for name in plain)}
    assert np.array_equal(_run(found["pair PSNR"]), _expected(made_network(2)))
    assert np.array_equal(_run(found["pair GAN"]), _expected(made_network(1)))
    blend = _run(found["pair alpha 0.25"])
    assert np.array_equal(blend, _expected(load_network(pair, alpha=0.25)))
    assert len({_run(found[name]).tobytes() for name in plain}) == len(plain)
    assert len(networks([str(pair)])) == 4


def test_the_shipped_pair_is_called_landcast(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "SHIPPED", pair)
    assert [m.name for m in networks([str(pair)])][::2] == ["landcast PSNR", "landcast GAN"]


def test_alpha_needs_a_pair_and_a_middle(single: Path, pair: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="pair of networks for --alpha"):
        networks([str(single)], alpha=0.5)
    image = tmp_path / "a.png"
    cv2.imwrite(str(image), picture(64, 64).transpose(1, 2, 0))
    out = tmp_path / "out"
    command = ["compare", str(image), "--out", str(out), "--model", str(pair), "--jpeg", "none"]
    assert run([*command, "--alpha", "1"]) == 2
    assert not out.exists()
    assert run([*command, "--alpha", "0.5"]) == 0
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert record["alpha"] == 0.5
    assert {"pair PSNR", "pair GAN", "pair alpha 0.5"} <= {m["name"] for m in record["methods"]}
