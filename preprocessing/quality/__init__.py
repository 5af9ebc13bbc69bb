"""Measures of single pictures against others, for forecasts and upscaling.

Import from the modules themselves (`preprocessing.quality.features`, ...).
"""
