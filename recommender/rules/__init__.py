"""Rules: which candidates stay."""
