"""Noise that is shared within objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.segmentation import felzenszwalb

from forecast import objects
from forecast.objects import Segments, segment, settle, share_noise
from forecast.unet import ForecastUNet


def fields() -> torch.Tensor:
    """Four flat fields of 16 x 16, as `(1, 3, 32, 32)`."""
    low = torch.full((1, 3, 32, 32), 0.2)
    low[..., :16, 16:] = 0.4
    low[..., 16:, :16] = 0.6
    low[..., 16:, 16:] = 0.8
    return low


def test_flat_fields_are_the_objects() -> None:
    labels = segment(fields(), (60.0,)).objects[0, 0]
    # The smoothing makes slivers of two pixels where fields meet.
    inside = [
        labels[rows, cols].unique().tolist()
        for rows in (slice(0, 14), slice(18, 32))
        for cols in (slice(0, 14), slice(18, 32))
    ]
    assert [len(found) for found in inside] == [1, 1, 1, 1]
    assert len({found[0] for found in inside}) == 4


def test_larger_scales_give_larger_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    low = (fields() + 0.03 * torch.randn((1, 3, 32, 32), generator=generator)).clamp(0, 1)
    small, large = segment(low, (2.0, 100.0)).objects[0]
    assert len(small.unique()) > 3 * len(large.unique())


def test_equal_images_are_segmented_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    low = torch.rand((2, 3, 32, 32), generator=generator)
    apart = torch.cat([segment(image[None], (10.0, 60.0)).objects for image in low])
    asked = []

    def counted(image: np.ndarray, **options: object) -> np.ndarray:
        asked.append(image)
        return felzenszwalb(image, **options)

    monkeypatch.setattr(objects, "felzenszwalb", counted)
    assert torch.equal(
        segment(low.repeat(3, 1, 1, 1), (10.0, 60.0)).objects, apart.repeat(3, 1, 1, 1)
    )
    assert len(asked) == 4


def test_a_finer_picture_has_as_many_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn((1, 3, 128, 128), generator=generator)
    picture = fields().repeat_interleave(4, 2).repeat_interleave(4, 3) + noise
    counts = []
    for finer in (1, 2, 4):
        low = torch.nn.functional.avg_pool2d(picture, 4 // finer)
        counts.append(len(segment(low, (2.0,), finer=finer).objects[0, 0].unique()))
    assert max(counts) < 2 * min(counts), counts


def test_shared_noise_is_the_normalised_sum_over_each_object() -> None:
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn((2, 3, 8, 8), generator=generator)
    labels = torch.randint(0, 5, (2, 2, 8, 8), generator=generator)
    shared = share_noise(noise, Segments(labels[:, :1], labels[:, 1:]))
    assert torch.equal(shared[:, 0], noise[:, 0])
    for item in range(2):
        for channel in range(2):
            for label in range(5):
                inside = labels[item, channel] == label
                white = noise[item, channel + 1][inside]
                expected = white.sum() / len(white) ** 0.5
                torch.testing.assert_close(
                    shared[item, channel + 1][inside], expected.expand(len(white))
                )


def test_shared_noise_stays_standard_normal_and_objects_independent() -> None:
    draws = 4000
    labels = segment(fields(), (60.0,)).objects.repeat(draws, 1, 1, 1)
    noise = torch.randn((draws, 1, 32, 32), generator=torch.Generator().manual_seed(2))
    values = share_noise(noise, Segments(labels, labels[:, :0]))[:, 0, (0, 0, 31), (0, 31, 31)]
    # Standard errors at 4000 draws: 0.011 of a deviation, 0.016 of a correlation.
    torch.testing.assert_close(values.std(dim=0), torch.ones(3), atol=0.05, rtol=0)
    correlation = torch.corrcoef(values.T) - torch.eye(3)
    assert correlation.abs().max() < 0.07


def test_objects_settle_on_the_mean_of_the_finest_segmentation() -> None:
    generator = torch.Generator().manual_seed(4)
    change = torch.randn((2, 3, 8, 8), generator=generator)
    labels = torch.randint(0, 4, (2, 2, 8, 8), generator=generator)
    settled, within = settle(change, Segments(labels, labels[:, :0]))
    assert not within.any()
    for item in range(2):
        for label in range(4):
            inside = labels[item, 0] == label
            expected = change[item][:, inside].mean(dim=1, keepdim=True)
            torch.testing.assert_close(
                settled[item][:, inside], expected.expand(3, int(inside.sum()))
            )


def test_parts_and_pixels_change_beside_their_objects() -> None:
    generator = torch.Generator().manual_seed(5)
    output = torch.randn((2, 9, 8, 8), generator=generator)
    labels = torch.randint(0, 4, (2, 3, 8, 8), generator=generator)
    segments = Segments(labels[:, :2], labels[:, 2:])
    none = labels[:, :0]
    whole, within = settle(output, segments)
    torch.testing.assert_close(whole, settle(output[:, :3], Segments(labels[:, :2], none))[0])
    parts = settle(output[:, 3:6], Segments(labels[:, 2:], none))[0].tanh()
    assert float((within - parts).abs().max()) <= 0.5
    # Pixels that are alike do not change, an odd one out does.
    output[:, 6:] = 3.0
    torch.testing.assert_close(settle(output, segments)[1], parts)
    output[:, 6:, 4, 4] += 1.0
    pixels = settle(output, segments)[1] - parts
    torch.testing.assert_close(pixels[:, :, 4, 4], 0.5 * torch.full((2, 3), 2 * 0.96).tanh())
    assert float(pixels[:, :, 4, 4].min()) > 10 * float(pixels[:, :, 3, 3].abs().max())
    assert not pixels[:, :, :2].any()


def test_parts_are_finer_than_objects() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = 0.02 * torch.randn((1, 3, 64, 64), generator=generator)
    low = fields().repeat_interleave(2, 2).repeat_interleave(2, 3) + noise
    found = segment(low, (60.0,), part_scale=2.0, finer=2)
    assert found.objects.shape == found.parts.shape == (1, 1, 64, 64)
    assert len(found.parts.unique()) > 10 * len(found.objects.unique())
    assert segment(low, (60.0,), finer=2).parts.shape == (1, 0, 64, 64)


def test_without_objects_nothing_is_shared() -> None:
    model = ForecastUNet(block_out_channels=(16, 32), attention_levels=0)
    field = torch.randn(1, 3, 32, 32)
    segments = model.segments(fields())
    assert segments.all.shape == (1, 0, 32, 32)
    assert torch.equal(share_noise(field, segments), field)
    assert torch.equal(settle(field, segments)[0], field)


@pytest.mark.parametrize(
    ("objective", "scales"), [("flow", (60.0,)), ("crps", (1.0, 2.0, 3.0, 4.0))]
)
def test_scales_that_do_not_fit_are_refused(objective: str, scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="object scales"):
        ForecastUNet(block_out_channels=(16, 32), objective=objective, object_scales=scales)
