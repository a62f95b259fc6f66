"""Peers: other libraries on the same evaluation harness, in an environment of their own."""
