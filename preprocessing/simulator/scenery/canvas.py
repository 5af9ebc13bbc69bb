"""What all painters of one world share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.simulator.appearance.textures import Textures, build_textures
from preprocessing.simulator.processes.ground import Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.streets import Plan
from preprocessing.simulator.scenery.climate import Looks

__all__ = ["Canvas"]


@dataclass(frozen=True)
class Canvas:
    """The unchanging part of a world's look.

    Attributes:
        site: Where.
        looks: The look of the region.
        textures: Static patterns.
        soil: `(h, w, 5)` reflectance of bare soil.
        plans: Town plans by style.
    """

    site: Site
    looks: Looks
    textures: Textures
    soil: NDArray[np.float32]
    plans: dict[Style, Plan]

    @classmethod
    def of(cls, site: Site, plans: dict[Style, Plan]) -> Canvas:
        """The canvas of a world."""
        looks = Looks.draw(site.config)
        textures = build_textures(site.setting)
        share = np.clip(0.5 + 0.4 * textures.patch + 0.08 * textures.mottle, 0.0, 1.0)
        first, second = looks.soils
        soil = first + share[..., None] * (second - first)
        return cls(site, looks, textures, soil, plans)
