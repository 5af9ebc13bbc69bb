"""The pages: each shows one thing and calls one workflow."""
