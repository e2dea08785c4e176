"""Celery on SQS, without pindb in its messages."""
