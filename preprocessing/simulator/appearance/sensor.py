"""What a satellite makes of the ground: blur, a shift, a colour cast, noise, eight bits."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.seeds import generator

__all__ = ["Acquisition", "observe"]

_BLUR_PX = 0.48
_MOST_SHIFT_PX = 0.6
_NOISE = 0.0045


@dataclass(frozen=True)
class Acquisition:
    """How one scene was taken.

    Attributes:
        dy_px: How far the scene's content lies too far down, in scene pixels; within 0.6.
        dx_px: How far it lies too far to the right.
        gain: Factor per channel.
        offset: Added per channel: haze.
    """

    dy_px: float
    dx_px: float
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def draw(cls, seed: int, year: int) -> Acquisition:
        """The acquisition of a year (index)."""
        rng = generator(seed, "acquisition", year)
        shift = np.clip(rng.normal(0.0, 0.22, 2), -_MOST_SHIFT_PX, _MOST_SHIFT_PX)
        gain = np.exp(rng.normal(0.0, 0.035) + rng.normal(0.0, 0.02, 3))
        haze = np.exp(rng.normal(0.0, 0.3)) * np.array([0.008, 0.014, 0.032])
        return cls(
            float(shift[0]), float(shift[1]), gain.astype(np.float32), haze.astype(np.float32)
        )


def observe(
    colour: NDArray[np.float32], config: WorldConfig, acquisition: Acquisition, year: int
) -> NDArray[np.float32]:
    """Look at fine colours through a sensor.

    Args:
        colour: `(2h, 2w, 3)` colours of fine pixels.
        config: Configuration of the world.
        acquisition: How the scene is taken.
        year: Index of the year.

    Returns:
        `(3, h, w)` values of the scene, 0..1, not yet rounded to eight bits.
    """
    rng = generator(config.seed, "sensor", year)
    blurred = cv2.GaussianBlur(colour, (0, 0), 2.0 * _BLUR_PX)
    # The centre of scene pixel i lies at 2 i + 0.5 on the fine grid.
    matrix = np.array(
        [
            [2.0, 0.0, 0.5 - 2.0 * acquisition.dx_px],
            [0.0, 2.0, 0.5 - 2.0 * acquisition.dy_px],
        ]
    )
    scene: NDArray[np.float32] = np.asarray(
        cv2.warpAffine(
            blurred,
            matrix,
            (config.width, config.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )
    white = rng.standard_normal(scene.shape, dtype=np.float32)
    noise = np.asarray(cv2.GaussianBlur(white, (0, 0), 0.5), dtype=np.float32) * 1.7
    scene = scene * acquisition.gain + acquisition.offset
    scene += noise * _NOISE * (0.6 + scene)
    return np.ascontiguousarray(np.clip(scene.transpose(2, 0, 1), 0.0, 1.0), dtype=np.float32)
