"""Scores as a page, tables, figures and numbers for machines."""
