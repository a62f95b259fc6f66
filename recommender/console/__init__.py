"""Console: what is live, why, and what to do about it, in a browser."""
