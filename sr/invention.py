"""What an upscaled picture adds to its input: maps to lay beside a result, without any truth.

Nobody can tell improvement from hallucination where the truth is not known. Two things can be
told: whether the result still says what the input says (`inconsistency`), and how much it says
beyond that (`invention`). The second is neither an error nor a bound on it, since detail that is
missing does not show in it. It says where the picture rests on what the model saw elsewhere, and
errors are larger there; see `docs/super-resolution.md` for how much.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sr.degradations import area_downsample
from sr.rrdb import bicubic_upsample

__all__ = ["HALO_PX", "inconsistency", "invention"]

HALO_PX = 2
"""Input pixels around a window that its maps depend on; inside, windows and whole agree."""

_SCALE = 4


def inconsistency(result: Tensor, low: Tensor) -> Tensor:
    """How far the result, seen again at the input's resolution, is from the input.

    Args:
        result: `(b, c, 4h, 4w)`, in any unit.
        low: `(b, c, h, w)`, what was enlarged, in the same unit.

    Returns:
        `(b, 1, h, w)`: absolute difference of the 4x4 means, mean over bands, on the grid of `low`.

    Raises:
        ValueError: The shapes do not fit together.
    """
    _check(result, low)
    return (area_downsample(result, _SCALE) - low).abs().mean(dim=1, keepdim=True)


def invention(result: Tensor, low: Tensor) -> Tensor:
    """Detail that interpolation of the input does not show.

    Args:
        result: `(b, c, 4h, 4w)`, in any unit.
        low: `(b, c, h, w)`, what was enlarged, in the same unit.

    Returns:
        `(b, 1, h, w)`: root mean square, over the 16 pixels of each input pixel and all bands, of
        the result minus bicubic interpolation, on the grid of `low`. Two input pixels next to the
        edge of a window depend on what lies beyond it, see `HALO_PX`.

    Raises:
        ValueError: The shapes do not fit together.
    """
    _check(result, low)
    added = (result - bicubic_upsample(low, _SCALE)).square()
    return torch.sqrt(area_downsample(added, _SCALE).mean(dim=1, keepdim=True))


def _check(result: Tensor, low: Tensor) -> None:
    batch, channels, height, width = low.shape
    expected = (batch, channels, _SCALE * height, _SCALE * width)
    if tuple(result.shape) != expected:
        raise ValueError(f"expected a result of shape {expected}, got {tuple(result.shape)}")
