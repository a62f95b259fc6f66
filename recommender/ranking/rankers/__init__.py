"""Rankers: the order of the candidates."""
