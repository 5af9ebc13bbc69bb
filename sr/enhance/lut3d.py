"""3D lookup tables for colour: applied by trilinear interpolation, fitted to pairs of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu
from torch.nn import functional

from sr.enhance.values import stored_as, unit_values

__all__ = ["Lut3D", "LutFit"]


@dataclass(frozen=True)
class Lut3D:
    """A colour for each node of a cube of red, green and blue.

    Attributes:
        table: `(n, n, n, 3)` float32, indexed by red, green and blue of the input; nodes are
            evenly spaced from 0 to 1. `n` is at least 2.
    """

    table: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = self.table.shape
        if shape != (shape[0],) * 3 + (3,) or shape[0] < 2 or not np.isfinite(self.table).all():
            raise ValueError(f"expected a finite table of shape (n, n, n, 3), n >= 2, got {shape}")

    @classmethod
    def identity(cls, size: int) -> Lut3D:
        """The table of `size` nodes a side that changes nothing."""
        axis = np.linspace(0, 1, size, dtype=np.float32)
        return cls(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=3))

    @property
    def size(self) -> int:
        """Nodes along a side."""
        return len(self.table)

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Look up every pixel by trilinear interpolation.

        Args:
            image: `(h, w, 3)`, see `sr.enhance`.

        Raises:
            ValueError: The image is not usable.
        """
        unit = torch.from_numpy(unit_values(image))
        # grid_sample wants the last axis of the table first, within -1..1.
        grid = (2 * unit.flip(-1) - 1)[None, :, :, None, :]
        table = torch.from_numpy(self.table).permute(3, 0, 1, 2)[None]
        found = functional.grid_sample(table, grid, padding_mode="border", align_corners=True)
        return stored_as(found[0, :, :, :, 0].permute(1, 2, 0).numpy(), image.dtype)


@dataclass(frozen=True)
class LutFit:
    """Sums over pixels from which a table is fitted; sums of several images add up.

    The normal equations of trilinear interpolation: with weights `A` `(pixels, n^3)` of the nodes
    and wanted colours `y` `(pixels, 3)`, the sums are `A'A`, `A'y` and the number of pixels. A
    pixel touches the eight corners of its cell, so only neighbouring nodes have products.

    Attributes:
        products: `(27, n, n, n)`, the products of each node with its 27 neighbours in `A'A`.
        colours: `A'y`, `(n, n, n, 3)`.
        pixels: Number of pixels.
    """

    products: NDArray[np.float64]
    colours: NDArray[np.float64]
    pixels: int

    @classmethod
    def of(cls, source: NDArray[Any], target: NDArray[Any], *, size: int = 9) -> LutFit:
        """Sums of one pair of images.

        Args:
            source: `(h, w, 3)` before, see `sr.enhance`.
            target: `(h, w, 3)` wanted, of any type.
            size: Nodes along a side of the table, 2 or more.

        Raises:
            ValueError: The images differ in size or are not usable.
        """
        before = unit_values(source).reshape(-1, 3).clip(0, 1).astype(np.float64)
        wanted = unit_values(target).reshape(-1, 3).astype(np.float64)
        if source.shape != target.shape or size < 2:
            raise ValueError(
                f"expected images of one shape and size >= 2, got {source.shape}, {target.shape}, "
                f"{size}"
            )
        below = np.minimum((before * (size - 1)).astype(np.int64), size - 2)
        part = before * (size - 1) - below
        weights = [np.where(c, part, 1 - part).prod(axis=1) for c in _CORNERS]
        nodes = [(below + c) @ _strides(size) for c in _CORNERS]
        products = np.zeros((len(_NEIGHBOURS), size**3))
        colours = np.zeros((size**3, 3))
        for i, first in enumerate(_CORNERS):
            for band in range(3):
                colours[:, band] += np.bincount(nodes[i], weights[i] * wanted[:, band], size**3)
            for j, second in enumerate(_CORNERS):
                number = int((second - first + 1) @ _strides(3))
                products[number] += np.bincount(nodes[i], weights[i] * weights[j], size**3)
        cube = (size, size, size)
        return cls(products.reshape(-1, *cube), colours.reshape(*cube, 3), len(before))

    @property
    def size(self) -> int:
        """Nodes along a side."""
        return len(self.colours)

    def __add__(self, other: LutFit) -> LutFit:
        """The sums of both."""
        return LutFit(
            self.products + other.products,
            self.colours + other.colours,
            self.pixels + other.pixels,
        )

    def __sub__(self, other: LutFit) -> LutFit:
        """The sums without a part that was added before."""
        return LutFit(
            self.products - other.products,
            self.colours - other.colours,
            self.pixels - other.pixels,
        )

    def solve(self, *, smoothness: float = 0.03, anchor: float = 1e-3) -> Lut3D:
        """The table that minimises the regularised squared error.

        Mean squared error, plus `smoothness` times the mean squared second difference of
        neighbouring nodes (Zeng et al. 2020 use first differences), plus `anchor` times the mean
        squared distance from the identity, which decides nodes that no pixel reaches.

        Args:
            smoothness: Weight of smoothness, 0 or more.
            anchor: Weight of the identity, above 0.

        Raises:
            ValueError: There are no pixels, or a weight is out of range.
        """
        if self.pixels < 1 or smoothness < 0 or anchor <= 0:
            raise ValueError("expected at least one pixel, smoothness >= 0 and anchor > 0")
        nodes = self.size**3
        rough = _second_differences(self.size)
        start = Lut3D.identity(self.size).table.reshape(-1, 3).astype(np.float64)
        penalty = smoothness * (rough.T @ rough) + anchor * sparse.eye_array(nodes)
        left = self._matrix() / self.pixels + penalty / nodes
        right = self.colours.reshape(-1, 3) / self.pixels + anchor / nodes * start
        table = splu(sparse.csc_array(left)).solve(right)
        return Lut3D(table.reshape(*self.colours.shape).astype(np.float32))

    def _matrix(self) -> sparse.coo_array:
        """`A'A`, `(n^3, n^3)`."""
        number, node = np.nonzero(self.products.reshape(len(_NEIGHBOURS), -1))
        other = node + (_NEIGHBOURS @ _strides(self.size))[number]
        values = self.products.reshape(len(_NEIGHBOURS), -1)[number, node]
        return sparse.coo_array((values, (node, other)), shape=(self.size**3,) * 2)


def _steps(*along: int) -> NDArray[np.int64]:
    """All triples of some steps, the last fastest."""
    return np.stack(np.meshgrid(along, along, along, indexing="ij"), axis=3).reshape(-1, 3)


_CORNERS, _NEIGHBOURS = _steps(0, 1), _steps(-1, 0, 1)


def _strides(size: int) -> NDArray[np.int64]:
    return np.array([size**2, size, 1])


def _second_differences(size: int) -> sparse.csr_array:
    """Second differences of a flat table along each of its three axes."""
    line, same = sparse.csr_array(np.diff(np.eye(size), n=2, axis=0)), sparse.eye_array(size)
    parts = [
        sparse.kron(sparse.kron(a, b), c)
        for a, b, c in ((line, same, same), (same, line, same), (same, same, line))
    ]
    return sparse.csr_array(sparse.vstack(parts))
