"""Merchandisers' rules: a reviewed file that pins, boosts, buries, excludes and replaces."""
