"""Candidate generators: which items may be listed."""
