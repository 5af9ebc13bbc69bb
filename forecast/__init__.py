"""The forecaster: a conditioned UNet, states of the land, training and scores.

Import from the modules themselves; those that training needs do not import GDAL.
"""
