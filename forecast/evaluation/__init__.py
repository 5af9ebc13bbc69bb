"""Scores of ensembles: mergeable sums, baselines beside every number."""
