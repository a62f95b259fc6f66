"""Indexes: item vectors to neighbours."""
