"""What Celery and Dramatiq have in common: one suite over both, on both brokers, on real worker processes."""
