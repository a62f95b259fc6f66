"""Rankers: in which order candidates stand."""
