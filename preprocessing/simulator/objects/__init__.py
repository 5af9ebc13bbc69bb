"""What lies on the ground of the first two landscapes."""
