"""How the first two landscapes look."""
