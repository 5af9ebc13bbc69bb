"""Radiometric matching: histograms, pseudo-invariant pixels, colours."""
