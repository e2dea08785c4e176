"""Celery on SQS with pindb."""
