"""Reindex jobs on Celery; imports `recommender`, never the other way round."""
