"""Which shipped network fits a file: what JPEG left behind is not to be sharpened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from preprocessing.errors import RequestError
from preprocessing.rasters.opening import opened
from sr.network.pretrained import SHIPPED, shipped_models

__all__ = ["Choice", "choose_network"]

_OF_JPEG = "rrdb4-jpeg"


@dataclass(frozen=True)
class Choice:
    """A network and why it was taken.

    Attributes:
        name: Of a shipped network.
        reason: A few words.
    """

    name: str
    reason: str


def choose_network(source: str | Path) -> Choice:
    """By how the pixels are stored, `rrdb4-jpeg` for JPEG (in a TIFF too), else `rrdb16`.

    Estimates of noise are not asked: fine texture of the ground has as much of what they measure
    (`docs/upscale.md`).
    """
    try:
        with opened(str(source)) as dataset:
            stored = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "")
            compressed = dataset.driver == "JPEG" or "JPEG" in stored.split()
            compressed = compressed and dataset.driver in ("JPEG", "GTiff")
    except RequestError:
        compressed = False  # films, and what is told where it is read
    if compressed and _OF_JPEG in shipped_models():
        return Choice(_OF_JPEG, "it is stored as JPEG")
    return Choice(SHIPPED.name, "it is not stored as JPEG")
