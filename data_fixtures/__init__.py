"""Example data: a small generated shop with known answers, and importers of public data sets."""
