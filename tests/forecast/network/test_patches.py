from __future__ import annotations

import torch

from forecast.network.patches import to_low, to_patches


def test_patches_are_a_bijection() -> None:
    image = torch.arange(2 * 3 * 128 * 64, dtype=torch.float32).reshape(2, 3, 128, 64)
    patches = to_patches(image)
    assert patches.shape == (2, 48, 32, 16)
    assert torch.equal(torch.pixel_shuffle(patches, 4), image)


def test_channels_lie_on_the_output_grid() -> None:
    image = torch.zeros(1, 3, 128, 128)
    image[0, 1, 4 * 7 + 2, 4 * 11 + 3] = 1
    assert to_patches(image).nonzero()[0, 2:].tolist() == [7, 11]
    assert to_low(image).nonzero()[0, 2:].tolist() == [7, 11]


def test_low_is_the_mean_of_blocks() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert torch.allclose(to_low(image)[0, :, 1, 0], image[0, :, 4:8, 0:4].mean(dim=(1, 2)))
