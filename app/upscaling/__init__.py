"""What `landcast upscale` runs."""
