"""Rims between objects are dissolved, lines of a colour of their own are not."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from forecast.objects import segment
from forecast.rims import dissolve_rims

LEFT, RIGHT = (0.6, 0.55, 0.4), (0.3, 0.4, 0.2)


def two_fields(middle: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Two fields of 16 columns and a strip of two columns, object 2, between them."""
    image = np.empty((24, 34, 3))
    image[:, :16], image[:, 16:18], image[:, 18:] = LEFT, middle, RIGHT
    labels = np.zeros((24, 34), dtype=np.int64)
    labels[:, 16:18], labels[:, 18:] = 2, 1
    return labels, image


def test_a_mixed_strip_goes_to_both_sides() -> None:
    mean = tuple(np.add(LEFT, RIGHT) / 2)
    labels, image = two_fields(mean)
    image[:, 16] += 0.2 * np.subtract(LEFT, RIGHT)
    image[:, 17] -= 0.2 * np.subtract(LEFT, RIGHT)
    result = dissolve_rims(labels, image)
    assert (result[:, :17] == 0).all()
    assert (result[:, 17:] == 1).all()


def test_a_road_stays() -> None:
    labels, image = two_fields((0.55, 0.55, 0.6))
    np.testing.assert_array_equal(dissolve_rims(labels, image), labels)


def test_crumbs_of_a_thin_object_go_to_their_neighbours() -> None:
    labels, image = two_fields((0.55, 0.55, 0.6))
    labels[:, 16], labels[:, 17] = 0, 1
    labels[4:6, 16:18] = 2  # 4 pixels are left of the road here, 16 there
    labels[12:20, 16:18] = 2
    result = dissolve_rims(labels, image)
    assert set(result[4:6, 16:18].flatten()) == {0, 1}
    assert (result[12:20, 16:18] == 2).all()


def test_wide_objects_stay_whatever_their_colour() -> None:
    labels, image = two_fields(tuple(np.add(LEFT, RIGHT) / 2))
    labels, image = labels.repeat(3, axis=1), image.repeat(3, axis=1)
    np.testing.assert_array_equal(dissolve_rims(labels, image), labels)


def test_a_fine_picture_of_a_field_has_two_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    sharp = np.empty((64, 64, 3))
    sharp[:], sharp[12:40, 12:52] = LEFT, RIGHT
    sharp += np.random.default_rng(0).normal(0, 0.02, sharp.shape)
    seen = ndimage.gaussian_filter(sharp, (0.4, 0.4, 0))
    low = torch.from_numpy(seen).permute(2, 0, 1)[None].float()

    def share_of_two() -> float:
        labels = segment(low, (60.0,), finer=2).objects[0, 0]
        return float(np.sort(np.bincount(labels.flatten()))[-2:].sum() / labels.numel())

    assert share_of_two() > 0.98
    monkeypatch.setattr("forecast.objects.dissolve_rims", lambda labels, image: labels)
    assert share_of_two() < 0.95
