"""What was kept, dropped and moved, as a page."""
