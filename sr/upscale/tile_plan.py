"""The plan of padded, overlapping tiles along one axis: what each reads, adds and completes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sr.upscale.resampling import axis_weights

__all__ = ["SCALE", "Stretch", "plan_axis"]

SCALE = 4
"""Of the network."""


@dataclass(frozen=True)
class Stretch:
    """One tile along one axis.

    Attributes:
        length: Pixels of the input along the axis.
        out_length: Pixels of the result.
        first: First pixel of the input that the network sees; negative where it is mirrored.
        last: One beyond the last.
        begin: First pixel of the result that the tile contributes to.
        end: One beyond the last.
        done: Pixels `begin..done` are complete once this tile and those before it are added.
        weight: `(end - begin)` float32; the weights of all tiles add up to 1 at every pixel.
    """

    length: int
    out_length: int
    first: int
    last: int
    begin: int
    end: int
    done: int
    weight: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.intp]:
        """Pixels of the input that the network sees, mirrored at the middle of the outer ones."""
        if self.length == 1:
            return np.zeros(self.last - self.first, dtype=np.intp)
        period = 2 * (self.length - 1)
        phase = np.arange(self.first, self.last) % period
        return np.minimum(phase, period - phase)

    @cached_property
    def resampling(self) -> NDArray[np.float32] | slice:
        """How the network's pixels become the asked ones: a slice at four times, else weights."""
        first = SCALE * self.first
        if self.out_length == SCALE * self.length:
            return slice(self.begin - first, self.end - first)
        step = SCALE * self.length / self.out_length
        return axis_weights(self.begin, self.end, step=step, first=first, last=SCALE * self.last)


def plan_axis(length: int, out_length: int, *, tile: int, pad: int, edge_pad: int) -> list[Stretch]:
    """Cut an axis into tiles of about equal length.

    Around each cut the two tiles are blended by a raised cosine over as many pixels as they are
    padded by, so that where it ends each has still seen half of its padding.

    Args:
        length: Pixels of the input.
        out_length: Pixels of the result.
        tile: Longest tile in pixels of the input, without padding; 0 for no cuts.
        pad: Pixels of the input that a tile sees of its neighbours.
        edge_pad: Mirrored pixels at both ends of the axis.
    """
    parts = math.ceil(length / tile) if tile else 1
    cuts = [part * length // parts for part in range(parts + 1)]
    shortest = min(b - a for a, b in itertools.pairwise(cuts))
    half = min(pad, shortest) / 2
    scale = out_length / length
    positions = np.asarray((np.arange(out_length) + 0.5) / scale, dtype=np.float64)
    stretches = []
    for part, (low, high) in enumerate(itertools.pairwise(cuts)):
        is_first, is_last = part == 0, part == parts - 1
        begin = 0 if is_first else int(np.searchsorted(positions, low - half))
        end = out_length if is_last else int(np.searchsorted(positions, high + half))
        done = out_length if is_last else int(np.searchsorted(positions, high - half))
        inside = positions[begin:end]
        weight = np.ones(end - begin)
        if not is_first:
            weight *= _rise(inside - low, half)
        if not is_last:
            weight *= 1 - _rise(inside - high, half)
        stretches.append(
            Stretch(
                length,
                out_length,
                max(low - pad, -edge_pad),
                min(high + pad, length + edge_pad),
                begin,
                end,
                done,
                weight.astype(np.float32),
            )
        )
    return stretches


def _rise(distance: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    """0 up to `-half`, 1 from `half` on."""
    if half == 0:
        return (distance >= 0).astype(np.float64)
    share = np.clip((distance + half) / (2 * half), 0, 1)
    return np.asarray(np.sin(np.pi / 2 * share) ** 2)
