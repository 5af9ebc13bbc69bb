"""The HTTP service: forecasts as runs, their files and tiles, pictures upscaled."""

from app.api.application import create_api

__all__ = ["create_api"]
