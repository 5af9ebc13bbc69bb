"""A braided river: threads that part and join, bars and islands that move from year to year."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from preprocessing.simulator.covers import Cover
from preprocessing.simulator.landform.fractal import fractal_noise
from preprocessing.simulator.processes.ground import Ground, Style
from preprocessing.simulator.processes.site import Site
from preprocessing.simulator.processes.waters.flooding import flood

__all__ = ["Braids"]

_STEP = 4


class Braids:
    """Threads are the zero lines of a slowly turning field, laid along the valley."""

    def __init__(self, site: Site, ground: Ground) -> None:
        rng = site.rng("braids")
        self._site = site
        side = min(site.shape)
        belt = site.px(float(rng.uniform(400.0, 2500.0)), least=float(rng.uniform(60.0, 110.0)))
        self._belt = min(belt, 0.22 * side)
        self._thread = float(rng.uniform(0.2, 0.4))
        self._turn = float(rng.uniform(0.08, 0.25))
        along, across = self._coordinates(site)
        wander = ndimage.gaussian_filter1d(rng.standard_normal(4 * side), 1.2 * self._belt)
        wander = wander / max(float(wander.std()), 1e-9) * 0.25 * self._belt
        index = np.clip(along.astype(int), 0, len(wander) - 1)
        # One thread runs through; it wanders within the belt.
        sway = ndimage.gaussian_filter1d(
            rng.standard_normal((2, len(wander))), 0.45 * self._belt, axis=1
        )
        sway = sway / sway.std(axis=1, keepdims=True) * 0.2 * self._belt
        self._through = [(across - wander[index] - each[index]).astype(np.float32) for each in sway]
        rough = site.noise("braid belt", largest_px=1.5 * self._belt, slope=2.0)
        self._edge = (np.abs(across - wander[index]) / self._belt + 0.12 * rough).astype(np.float32)
        # Fields on a canvas along the valley are three times as long as wide.
        shape = (int(along.max() / 3) + 8, int(2 * np.abs(across).max()) + 16)
        wave = {"slope": 2.6, "largest_px": 0.9 * self._belt, "smallest_px": self._belt / 4}
        where = (
            (across + shape[1] / 2).astype(np.float32),
            (along / 3).astype(np.float32),
        )
        self._waves = [
            cv2.remap(fractal_noise(shape, rng, **wave), *where, cv2.INTER_LINEAR) for _ in range(2)
        ]
        self.step(ground, 0)
        bed = (self._edge < 0.5) & ~ground.has(Cover.WATER)
        ground.take(bed, Cover.BARE, -2, Style.BAR)
        age = site.noise("bar age", largest_px=0.5 * self._belt, slope=1.8)
        ground.since[bed] = np.clip(-4 - 5 * age, -16, 0)[bed].astype(np.int16)

    def step(self, ground: Ground, year: int) -> None:
        """Let a year pass: wet years have wide threads, dry years thin ones."""
        rng = self._site.rng("braids", year)
        wide = self._thread * float(np.exp(rng.normal(0.0, 0.3)))
        angle = self._turn * year
        field = np.cos(angle) * self._waves[0] + np.sin(angle) * self._waves[1]
        within = np.clip(1.0 - (self._edge / 0.5) ** 4, 0.0, 1.0)
        through = np.cos(angle) ** 2 * self._through[0] + np.sin(angle) ** 2 * self._through[1]
        wet = (np.abs(field) < wide * within) | (np.abs(through) < 0.12 * wide * self._belt)
        wet &= ~ground.has(Cover.BUILT_UP, Cover.ROAD)
        wet &= ~(ground.has(Cover.WATER) & (ground.style != Style.RIVER))
        flood(ground, wet, year, water=Style.RIVER, left=Style.BAR)
        # Floods go beyond the threads and keep their bars bare.
        green = ground.has(Cover.GRASS, Cover.YOUNG_FOREST) & (self._edge < 0.5)
        ground.take(green & (np.abs(field) < 2.0 * wide * within), Cover.BARE, year, Style.BAR)

    def _coordinates(self, site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels `(h, w)` along the valley and across it."""
        line = ndimage.gaussian_filter1d(site.terrain.valley, 8.0, axis=0, mode="nearest")
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        at = np.linspace(0.0, length[-1], int(length[-1] / 3) + 2)
        line = np.stack([np.interp(at, length, line[:, i]) for i in (0, 1)], axis=1)
        direction = np.gradient(line, axis=0)
        rows = np.arange(0, site.shape[0] + _STEP, _STEP)
        cols = np.arange(0, site.shape[1] + _STEP, _STEP)
        points = np.stack(np.meshgrid(cols, rows), -1).reshape(-1, 2).astype(float)
        distance, nearest = cKDTree(line).query(points)
        offset, along = points - line[nearest], direction[nearest]
        turn = along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]
        pair = []
        for values in (at[nearest], np.sign(turn) * distance):
            coarse = values.reshape(len(rows), len(cols)).astype(np.float32)
            size = (len(cols) * _STEP, len(rows) * _STEP)
            fine = cv2.resize(coarse, size)[: site.shape[0], : site.shape[1]]
            pair.append(np.asarray(fine, dtype=np.float64))
        return pair[0], pair[1]
