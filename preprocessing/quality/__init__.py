"""Measures of single pictures against others: features and spectra, for forecasts and upscaling.

Import from the modules themselves (`preprocessing.quality.features`, ...).
"""
