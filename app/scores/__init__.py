"""What `landcast evaluate` runs."""
