"""What forecasts a case: the forecaster, rules, less history."""
