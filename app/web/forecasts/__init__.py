"""The page of forecasts, part by part."""
