"""`landcast compare`: degrade images, restore them with every method, score and draw."""

from app.comparison.request import ComparisonRequest
from app.comparison.study import compare

__all__ = ["ComparisonRequest", "compare"]
