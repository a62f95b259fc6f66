"""Offline evaluation of related lists, whichever system made them."""
