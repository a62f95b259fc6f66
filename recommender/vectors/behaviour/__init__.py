"""Behaviour embeddings: models that turn interactions into item vectors."""
