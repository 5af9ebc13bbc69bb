"""Scores, each as sums of cases; their units, intervals and questions."""
