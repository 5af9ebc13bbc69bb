from __future__ import annotations

import pytest
import torch

from forecast.patches import from_patches, to_low, to_patches


@pytest.mark.parametrize("layout", ["aligned", "contiguous"])
@pytest.mark.parametrize(("factor", "channels"), [(4, 48), (2, 12), (1, 3)])
def test_patches_are_a_bijection(layout: str, factor: int, channels: int) -> None:
    image = torch.arange(2 * 3 * 128 * 64, dtype=torch.float32).reshape(2, 3, 128, 64)
    patches = to_patches(image, layout, factor)
    assert patches.shape == (2, channels, 128 // factor, 64 // factor)
    assert torch.equal(from_patches(patches, layout, factor), image)


def test_aligned_channels_lie_on_the_output_grid() -> None:
    image = torch.zeros(1, 3, 128, 128)
    image[0, 1, 4 * 7 + 2, 4 * 11 + 3] = 1
    assert to_patches(image, "aligned").nonzero()[0, 2:].tolist() == [7, 11]
    assert to_low(image).nonzero()[0, 2:].tolist() == [7, 11]


def test_contiguous_patches_are_crops() -> None:
    image = torch.rand(1, 3, 128, 128)
    patches = to_patches(image, "contiguous")
    assert torch.equal(patches[0, 3 * 6 : 3 * 7], image[0, :, 32:64, 64:96])


def test_low_is_the_mean_of_blocks() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert torch.allclose(to_low(image)[0, :, 1, 0], image[0, :, 4:8, 0:4].mean(dim=(1, 2)))
