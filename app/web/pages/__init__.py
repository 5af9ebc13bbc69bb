"""Pages: each shows one thing and calls one workflow."""
