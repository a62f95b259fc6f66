"""Related-items engine: catalogue and interactions in, related lists in Redis out."""
