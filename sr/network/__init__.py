"""Networks of super-resolution, their weights and what reads them."""
