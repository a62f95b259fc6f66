"""Candidate sources: what may stand in a list."""
