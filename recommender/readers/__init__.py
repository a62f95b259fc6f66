"""Readers: the files of a shop become its catalogue, its interactions and a report of rows."""
