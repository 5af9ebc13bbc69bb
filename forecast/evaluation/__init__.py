"""Scores of ensembles: mergeable sums, baselines beside every number.

`case` and `pairs` bring what is scored to the colours of its start, `methods` are what forecasts it
(rules to beat among them), statistics (`harm`, `lasting_change`, `observations`, `pictures`,
`perceptual`) are added up by `scoring`, turned into scores with bootstrap intervals by `results`,
and shown by `page`, `table` and `record`.
"""
