"""The ground of the first two landscapes: height, water, lines."""
