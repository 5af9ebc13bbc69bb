"""How land looks: materials with spectra, the climate's seasons, a sensor's bands."""
