"""Tiled upscaling: no seams at any size and scale, means, groups of bands, bfloat16."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import picture
from torch import Tensor
from upscale_cases import made_network

from sr.network import inference
from sr.network.inference import upscale_batch
from sr.upscale.bands import UpscaleOptions, Upscaler, band_groups
from sr.upscale.resampling import axis_weights
from sr.upscale.tile_plan import plan_axis


@pytest.mark.parametrize("outscale", [1, 1.5, 2, 3.3, 4, 6, 8])
@pytest.mark.parametrize(("height", "width"), [(70, 53), (1, 90), (3, 2)])
def test_tiled_equals_whole(outscale: float, height: int, width: int) -> None:
    image = picture(height, width).astype(np.float32) / 255

    def upscaled(**how: Any) -> Any:
        return Upscaler(made_network(), UpscaleOptions(outscale=outscale, **how)).array(
            image, exact=True
        )

    whole = upscaled(tile=0)
    assert whole.shape == (3, max(1, round(outscale * height)), round(outscale * width))
    assert np.abs(upscaled(tile=20) - whole).max() < 1e-3 / 255
    if height > 20 and outscale >= 2:  # without padding there are seams
        assert np.abs(upscaled(tile=20, tile_pad=0) - whole).max() > 1 / 255


def test_shipped_network_shows_no_seams() -> None:
    from sr.network.pretrained import load_network

    network = load_network(device=torch.device("cpu"))
    image = picture(16, 48, seed=3).astype(np.float32) / 255
    whole, tiled = (
        Upscaler(network, UpscaleOptions(tile=tile, fp32=True)).array(image) for tile in (0, 24)
    )
    assert np.abs(whole - tiled).max() < 0.25 / 255


@given(
    length=st.integers(1, 400),
    outscale=st.floats(1, 8),
    tile=st.integers(16, 90),
    pad=st.integers(0, 60),
)
def test_tiles_of_an_axis_add_up_to_one(length: int, outscale: float, tile: int, pad: int) -> None:
    size = max(1, round(length * outscale))
    plan = plan_axis(length, size, tile=tile, pad=pad, edge_pad=3)
    total = np.zeros(size)
    for stretch, following in zip(plan, [*plan[1:], None], strict=True):
        total[stretch.begin : stretch.end] += stretch.weight
        # What is called done is not touched again.
        assert stretch.done == (size if following is None else following.begin)
        assert -3 <= stretch.first < stretch.last <= length + 3
    assert np.allclose(total, 1, atol=1e-6)


def test_area_weights_keep_means_and_lanczos_keeps_lines() -> None:
    values = np.random.default_rng(0).random(24)
    halved = axis_weights(0, 12, step=2, first=0, last=24) @ values
    assert np.allclose(halved, values.reshape(12, 2).mean(axis=1))
    thirds = axis_weights(0, 16, step=1.5, first=0, last=24) @ values
    assert thirds[0] == pytest.approx((values[0] + values[1] / 2) / 1.5)
    line = axis_weights(12, 36, step=0.5, first=0, last=24) @ np.arange(24.0)
    # Lanczos windows are not exact for a line: 1 % of a pixel, known from the kernel.
    assert np.allclose(line, (np.arange(12, 36) + 0.5) / 2 - 0.5, atol=0.02)


def test_continuing_a_row_later_gives_the_same() -> None:
    image = picture(90, 50).astype(np.float32) / 255
    upscaler = Upscaler(made_network(), UpscaleOptions(tile=20))

    def blocks(start: int) -> list[Any]:
        return [
            (b.window, b.pixels)
            for b in upscaler.stream(
                lambda window: image[(slice(None), *window.slices)],
                channels=3,
                shape=(90, 50),
                exact=True,
                start_row=start,
            )
            if b.row >= 3
        ]

    for (window, pixels), (again, same) in zip(blocks(0), blocks(3), strict=True):
        assert window == again
        assert np.array_equal(pixels, same)


def test_kept_means() -> None:
    image = picture(40, 40).astype(np.float32) / 255
    for keep in (True, False):
        options = UpscaleOptions(tile=20, consistent=keep)
        result = Upscaler(made_network(), options).array(image, exact=True)
        error = np.abs(result.reshape(3, 40, 4, 40, 4).mean(axis=(2, 4)) - image).max()
        assert (error < 1e-4) == keep


def test_bands_by_threes_then_alone() -> None:
    assert band_groups(7, 3) == [(0, 1, 2), (3, 4, 5), (6,)]
    assert band_groups(2, 3) == [(0,), (1,)]
    assert band_groups(2, 1) == [(0,), (1,)]


@pytest.mark.parametrize("fault", [float("nan"), -1e4])
def test_unusable_bfloat16_is_repeated(monkeypatch: pytest.MonkeyPatch, fault: float) -> None:
    network, image = made_network(), torch.full((1, 3, 24, 24), 0.5)
    expected = upscale_batch(network, image, half=False)
    calls = []

    def broken(_: Any, __: Any, output: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) == 1:
            output = output.clone()
            output[..., :16, :16] = fault
        return output

    monkeypatch.setattr(inference, "native_bfloat16", lambda _: True)
    monkeypatch.setattr(inference, "autocast", lambda _: torch.autocast("cpu", enabled=False))
    network.register_forward_hook(broken)
    assert torch.equal(upscale_batch(network, image), expected)
    assert len(calls) == 2
