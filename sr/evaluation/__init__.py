"""Scores of restored tiles: how near the truth, how true to the input, how much is invented.

Import from the modules themselves (`sr.evaluation.tile_scores`, ...).
"""
