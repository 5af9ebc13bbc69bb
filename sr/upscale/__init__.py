"""Upscaling of pictures, rasters and films in tiles."""
