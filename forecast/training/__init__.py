"""Training of the forecaster: configuration, data, losses, loop."""

from forecast.training.config import TrainingConfig
from forecast.training.loop import export_model, train_forecast

__all__ = ["TrainingConfig", "export_model", "train_forecast"]
