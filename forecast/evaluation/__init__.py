"""Scores of ensembles: mergeable sums, baselines beside every number.

Cheap scores during training: `statistics`, `tiles`. The full evaluation: statistics of single ideas
(`values`, `ranks`, `change_maps` ...) are added up by `scoring` over `methods`, turned into scores
with bootstrap intervals by `results`, and shown by `record` and `report_page`.
"""
