"""Scores: what they are called, which way is better, and how values and intervals are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Estimate", "ScoreInfo"]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; the bounds are NaN where there are too few units."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 where the whole interval lies above or below zero, else 0."""
        return int(self.low > 0) - int(self.high < 0)

    @property
    def rounded(self) -> list[float]:
        """Value and bounds with six digits: more are noise, and files are read by people too."""
        return [float(f"{x:.6g}") for x in (self.value, self.low, self.high)]


@dataclass(frozen=True)
class ScoreInfo:
    """How a score is shown.

    Attributes:
        title: Short name.
        better: `lower` or `higher`; `neither` where a target is aimed at or it describes.
        factor: What the value is multiplied with where it is shown (255: grey levels).
        digits: Decimals shown.
    """

    title: str
    better: Literal["lower", "higher", "neither"] = "lower"
    factor: float = 1.0
    digits: int = 3

    def shown(self, value: float, *, sign: bool = False) -> str:
        """A value as text: its unit's factor, its digits, `-` where not known."""
        if value != value:
            return "-"
        return f"{value * self.factor:{'+' if sign else ''}.{self.digits}f}"

    def bounds(self, estimate: Estimate) -> str:
        """The interval as text, empty where there is none."""
        if estimate.low != estimate.low:
            return ""
        return f"[{self.shown(estimate.low)}, {self.shown(estimate.high)}]"

    def verdict(self, difference: Estimate) -> str:
        """`better` or `worse` where the interval of a difference excludes zero, else empty."""
        if self.better == "neither" or difference.sign == 0:
            return ""
        return "better" if (difference.sign > 0) == (self.better == "higher") else "worse"
