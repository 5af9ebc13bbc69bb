"""What changed lastingly between two dates of a series: a rule, a classifier, labels of places."""

from preprocessing.lasting_change.dated_cells import DatedCells, DatedImages
from preprocessing.lasting_change.labelling import label_pair, label_start, pairs_of_dates
from preprocessing.lasting_change.rule import changed_lastingly, smallest_difference

__all__ = [
    "DatedCells",
    "DatedImages",
    "changed_lastingly",
    "label_pair",
    "label_start",
    "pairs_of_dates",
    "smallest_difference",
]
