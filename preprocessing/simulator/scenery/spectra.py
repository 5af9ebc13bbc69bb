"""Materials: how much light each reflects in five bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "FALSE_COLOUR", "NATURAL", "spectrum"]

BANDS = ("blue", "green", "red", "nir", "swir")
NATURAL = (2, 1, 0)
FALSE_COLOUR = (4, 3, 2)

# Reflectance at 0.49, 0.56, 0.66, 0.84 and 1.61 micrometres, rounded from what the ECOSTRESS and
# USGS spectral libraries show for such materials.
_SPECTRA = {
    "leaf": (0.035, 0.075, 0.045, 0.45, 0.20),
    "canopy": (0.022, 0.045, 0.026, 0.33, 0.13),
    "needle": (0.018, 0.030, 0.021, 0.21, 0.085),
    "straw": (0.08, 0.13, 0.18, 0.28, 0.36),
    "wood": (0.045, 0.06, 0.08, 0.15, 0.19),
    "brown": (0.06, 0.09, 0.125, 0.19, 0.27),
    "grey": (0.11, 0.14, 0.165, 0.21, 0.27),
    "red": (0.05, 0.085, 0.19, 0.27, 0.36),
    "sand": (0.15, 0.22, 0.31, 0.40, 0.49),
    "pale": (0.23, 0.29, 0.34, 0.40, 0.42),
    "tile": (0.07, 0.10, 0.19, 0.26, 0.31),
    "concrete": (0.17, 0.20, 0.22, 0.26, 0.28),
    "dark roof": (0.06, 0.065, 0.07, 0.085, 0.10),
    "metal": (0.36, 0.39, 0.41, 0.42, 0.36),
    "asphalt": (0.075, 0.085, 0.095, 0.115, 0.135),
    "panel": (0.055, 0.05, 0.055, 0.075, 0.085),
    "coal": (0.03, 0.032, 0.036, 0.05, 0.075),
    "clear": (0.035, 0.028, 0.014, 0.006, 0.003),
    "silty": (0.075, 0.105, 0.115, 0.045, 0.008),
    "algae": (0.03, 0.065, 0.03, 0.03, 0.006),
    "shoal": (0.12, 0.16, 0.11, 0.03, 0.006),
}


def spectrum(name: str) -> NDArray[np.float32]:
    """Reflectance `(5,)` of a material, 0..1, in the order of `BANDS`."""
    return np.array(_SPECTRA[name], dtype=np.float32)
