"""What is scored: places at a start and a target, pairs, masks."""
