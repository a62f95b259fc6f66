"""Answers to people: explain, lint, search, clusters, diff and doctor."""
