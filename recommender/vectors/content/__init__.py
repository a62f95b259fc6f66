"""Content: text encoders, which turn documents into vectors."""
