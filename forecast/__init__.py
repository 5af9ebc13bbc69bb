"""The forecaster: a conditioned UNet, its training, ensembles, rollouts and scores.

Import from the modules themselves; those that training needs do not import GDAL.
"""
