"""Rasters: grids, reading and writing, bands, dates, what may be opened."""
