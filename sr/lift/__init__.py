"""The lift of forecasts to full resolution, guided by the picture of today."""
