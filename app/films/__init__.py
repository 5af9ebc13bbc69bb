"""Films of a forecast."""
