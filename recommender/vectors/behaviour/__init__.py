"""Interaction models: who bought what with what, to vectors."""
