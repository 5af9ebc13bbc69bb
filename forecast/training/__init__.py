"""Training of the forecaster: `config`, `data`, `losses`, `loop`."""
