"""The content-addressed store of step outputs, the records of runs, and the erasure of users."""
