"""Readers: files -> Catalogue, Interactions and a report of what was left out or refused."""
