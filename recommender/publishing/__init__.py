"""Everything that writes to Redis."""
