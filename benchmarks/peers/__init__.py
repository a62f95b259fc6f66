"""Peers: other libraries judged on the same bench, in an environment of their own."""
