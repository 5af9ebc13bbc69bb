"""Runs that forecast: what is asked, members, what is written."""
