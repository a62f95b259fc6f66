"""Fusions: embeddings to item vectors."""
