"""Tiles of an image: where they lie, how they are blended, which are kept."""
