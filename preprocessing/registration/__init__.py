"""Laying one image over another: a common grid, shifts, warping."""
