"""What people and water do to the land: simple processes, composed into landscapes."""
