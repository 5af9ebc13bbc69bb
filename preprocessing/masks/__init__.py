"""What was not seen: clouds, gaps."""
