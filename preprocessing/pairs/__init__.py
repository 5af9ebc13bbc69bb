"""Stores of pairs of tiles."""
