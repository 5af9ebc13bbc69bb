"""From reflectance to the picture as it is delivered: bands, stretch, sensors, palette."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from preprocessing.simulator.appearance.sensor import Acquisition, observe
from preprocessing.simulator.config import WorldConfig
from preprocessing.simulator.scenery.spectra import FALSE_COLOUR, NATURAL
from preprocessing.simulator.seeds import generator

__all__ = ["Camera"]

_HAZE = np.array([0.035, 0.018, 0.009, 0.003, 0.001], dtype=np.float32)


class Camera:
    """Takes the scenes of one world, all stretched alike unless the sensor changes.

    The stretch is that of the first scene, so it does not depend on how many follow.
    """

    def __init__(self, config: WorldConfig) -> None:
        self._config = config
        rng = generator(config.seed, "camera")
        self._bands = list(FALSE_COLOUR if config.false_colour else NATURAL)
        self._joint = bool(rng.random() < (0.35 if config.false_colour else 0.6))
        self._low = float(rng.uniform(0.3, 2.5))
        self._high = float(rng.uniform(97.0, 99.8))
        self._reach = float(rng.uniform(0.6, 1.0))
        self._least = float(rng.uniform(0.1, 0.3))
        self._gamma = float(
            rng.uniform(0.8, 1.1) if config.false_colour else rng.uniform(0.62, 1.0)
        )
        self._each = config.sensor != "steady" and bool(rng.random() < 0.35)
        self._jumps = np.sort(rng.integers(2, 20, 2))
        self._gains = np.exp(rng.normal(0.0, 0.1, (3, 3))) * np.exp(rng.normal(0.0, 0.08, (3, 1)))
        self._colours = int(rng.integers(80, 257))
        self._bounds: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._palette: Pictures.Image | None = None

    def take(self, reflectance: NDArray[np.float32], year: int) -> NDArray[np.float32]:
        """The scene of a year.

        Args:
            reflectance: `(2h, 2w, 5)` of fine pixels.
            year: Index of the year; the first scene must be taken first.

        Returns:
            `(3, h, w)` values, 0..1.
        """
        config = self._config
        changing = config.sensor != "steady"
        rng = generator(config.seed, "light", year)
        hazy = float(np.exp(rng.normal(0.0, 0.6 if changing else 0.3)))
        clear = reflectance[..., self._bands] * np.float32(1.0 - 0.06 * hazy)
        seen = clear + _HAZE[self._bands] * np.float32(hazy)
        if self._bounds is None or self._each:
            self._bounds = self._stretch(seen)
        low, high = self._bounds
        seen = (seen - low) / (high - low) * np.float32(self._reach)
        usual = Acquisition.draw(config.seed, year)
        gain = usual.gain
        if changing:
            sensor = int(np.searchsorted(self._jumps, year, side="right"))
            light = np.exp(rng.normal(0.0, 0.06) + rng.normal(0.0, 0.03, 3))
            gain = (gain * self._gains[sensor] * light).astype(np.float32)
        taken = Acquisition(usual.dy_px, usual.dx_px, gain, np.zeros(3, np.float32))
        scene = observe(np.clip(seen, 0.0, 1.5), config, taken, year) ** np.float32(self._gamma)
        return self._dithered(scene) if config.sensor == "dithered" else scene

    def _stretch(
        self, seen: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        sample = seen[::4, ::4].reshape(-1, 3)
        low, high = np.percentile(sample, [self._low, self._high], axis=0)
        low = 0.85 * low
        if self._joint:
            high = low + (high - low).max()
        # Uniform ground must not be stretched into noise, nor fields to white.
        high = np.maximum(high, low + self._least)
        return low.astype(np.float32), high.astype(np.float32)

    def _dithered(self, scene: NDArray[np.float32]) -> NDArray[np.float32]:
        """In the palette of the first scene, errors diffused (Floyd and Steinberg 1976)."""
        bytes_ = np.rint(scene * 255).astype(np.uint8).transpose(1, 2, 0)
        picture = Pictures.fromarray(bytes_)
        if self._palette is None:
            self._palette = picture.quantize(self._colours)
        dithered = picture.quantize(
            palette=self._palette, dither=Pictures.Dither.FLOYDSTEINBERG
        ).convert("RGB")
        return np.ascontiguousarray(
            np.asarray(dithered).transpose(2, 0, 1), dtype=np.float32
        ) / np.float32(255)
