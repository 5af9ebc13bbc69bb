"""Rasters, grids, alignment, tiling and pairs: from any two dated images to clean tiles.

Import from the modules themselves (`preprocessing.rasters.raster`, `preprocessing.pairs.store`,
...): the modules that training needs do not import GDAL, so nothing is re-exported here.
"""
