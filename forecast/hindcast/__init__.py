"""A place's own past as teacher: what it shows before the start is learnt from and forecast."""
