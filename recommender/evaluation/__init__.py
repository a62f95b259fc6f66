"""Offline evaluation: judges related lists, whoever made them."""
