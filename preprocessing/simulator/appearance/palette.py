"""Colours of the covers as a satellite's true-colour product shows them, by region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.appearance.season import Season
from preprocessing.simulator.config import Region

__all__ = ["Palette"]

_CROPS = (
    (0.63, 0.56, 0.42),  # ripe cereal
    (0.33, 0.42, 0.25),  # maize
    (0.27, 0.38, 0.22),  # beet, soy
    (0.70, 0.63, 0.49),  # stubble
    (0.47, 0.39, 0.32),  # ploughed
    (0.60, 0.54, 0.46),  # harrowed, dry
    (0.40, 0.49, 0.29),  # lucerne
    (0.50, 0.48, 0.33),  # fallow
)


@dataclass(frozen=True)
class Palette:
    """Mean colours, red green blue, 0..1.

    Attributes:
        crops: `(CROPS, 3)`.
        grass: Pasture.
        conifer: Dark stands.
        broadleaf: Bright stands.
        young: Young stands.
        slash: Fresh clearings.
        soil: Building sites, tracks.
        sand: Bars and shores.
        asphalt: Roads and streets.
        shallow: Water near the bank.
        deep: The river further out.
        still: Deep, clear standing water.
        pond: Brown, shallow standing water.
        reeds: The fringe of ponds.
    """

    crops: NDArray[np.float32]
    grass: NDArray[np.float32]
    conifer: NDArray[np.float32]
    broadleaf: NDArray[np.float32]
    young: NDArray[np.float32]
    slash: NDArray[np.float32]
    soil: NDArray[np.float32]
    sand: NDArray[np.float32]
    asphalt: NDArray[np.float32]
    shallow: NDArray[np.float32]
    deep: NDArray[np.float32]
    still: NDArray[np.float32]
    pond: NDArray[np.float32]
    reeds: NDArray[np.float32]

    @classmethod
    def of(cls, region: Region, season: Season) -> Palette:
        """Colours of a region in the season of one year."""
        dry = np.float32(np.clip(region.dryness + season.parched, 0.0, 1.0))
        red = np.float32(region.redness)
        straw = np.array([0.60, 0.54, 0.40], np.float32)
        rust = np.array([0.05, -0.01, -0.04], np.float32) * (red - 0.4)
        crops = np.array(_CROPS, np.float32)
        green = crops[:, 1:2] > crops[:, 0:1]
        crops = np.where(green, crops * (1 - 0.22 * dry) + straw * 0.22 * dry, crops + rust)
        grass = np.array([0.37, 0.43, 0.27], np.float32)
        wood = np.array([0.035, 0.02, 0.01], np.float32) * dry
        return cls(
            season.of_crops(crops),
            grass * (1 - 0.6 * dry) + straw * 0.6 * dry,
            np.array([0.17, 0.215, 0.16], np.float32) + wood,
            np.array([0.22, 0.29, 0.175], np.float32) + wood,
            np.array([0.30, 0.35, 0.22], np.float32) + 2 * wood,
            np.array([0.46, 0.40, 0.33], np.float32) + rust,
            np.array([0.66, 0.59, 0.49], np.float32) + rust,
            np.array([0.76, 0.70, 0.57], np.float32),
            np.array([0.49, 0.48, 0.46], np.float32),
            np.array([0.40, 0.42, 0.33], np.float32),
            np.array([0.25, 0.33, 0.29], np.float32),
            np.array([0.13, 0.22, 0.23], np.float32),
            np.array([0.175, 0.205, 0.15], np.float32),
            np.array([0.25, 0.31, 0.19], np.float32),
        )
