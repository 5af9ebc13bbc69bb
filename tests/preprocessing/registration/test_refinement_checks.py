"""A field of local shifts is used only if shifts are worth removing and if it removes them."""

from __future__ import annotations

import numpy as np
import pytest
from made_scenes import made_world, view

from preprocessing.rasters.image_source import HeldImage, ImageSource
from preprocessing.rasters.window import Window
from preprocessing.registration.local_shift import _Measured, refine_shifts
from preprocessing.registration.warped import WarpedImage


@pytest.mark.parametrize(
    ("before_px", "after_px", "used"),
    [
        pytest.param(1.0, 0.2, True, id="removed"),
        pytest.param(1.0, 0.9, False, id="hardly removed"),
        pytest.param(0.09, 0.01, False, id="too short to resample for"),
    ],
)
def test_both_gains_are_asked_for(
    before_px: float, after_px: float, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(first: ImageSource, second: WarpedImage, *, offset: bool = False) -> _Measured:
        length = before_px if second.field is None else after_px
        points = np.stack(np.meshgrid(*[np.arange(6.0) * 20] * 2), axis=-1).reshape(-1, 2)
        shifts = np.tile([length, 0.0], (len(points), 1))
        return _Measured(points, shifts, np.full(len(points), 9.0))

    monkeypatch.setattr("preprocessing.registration.local_shift._measure", measured)
    image = HeldImage(view(made_world(3), row_q=0, col_q=0))
    found = refine_shifts(image, WarpedImage(image, image.grid))
    assert found is not None
    assert (found.before_px, found.after_px) == (before_px, after_px)
    assert (found.field is not None) == used
    if found.field is not None:
        # Both rounds measured and added what they saw.
        down, right = found.field.at(Window(0, 0, 1, 1))
        np.testing.assert_allclose((down, right), [[[before_px + after_px]], [[0]]], atol=1e-6)
