"""Cells of CSV files that spreadsheets open: text that looks like a formula is kept text."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With what a cell begins that a spreadsheet may take for a formula (OWASP, CSV injection)."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def harmless(cell: object) -> object:
    """The cell, with an apostrophe before text that a spreadsheet would run."""
    is_formula = isinstance(cell, str) and cell.startswith(FORMULA) and not NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
