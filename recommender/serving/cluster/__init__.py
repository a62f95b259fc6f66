"""Reading from a Redis Cluster."""
