"""Polygons of users (areas of interest, zones) on the pixels of a raster."""
