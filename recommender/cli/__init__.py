"""The command `recommender`."""
