"""Where the lift that ships lies; for those who need not load it."""

from __future__ import annotations

from pathlib import Path

from preprocessing.running.files import sha256
from preprocessing.running.pretrained import WEIGHTS

__all__ = ["SHIPPED_LIFT", "lift_sha256"]

SHIPPED_LIFT = Path(__file__).parent.parent / "weights" / "guided16"


def lift_sha256() -> str:
    """Hexadecimal SHA-256 of the weights that ship."""
    return sha256(SHIPPED_LIFT / WEIGHTS)
