"""Adapters for task queues besides Celery and Dramatiq: one module for each, and nothing of pindb needs any of them.

docs/queues.md has the line that installs each, and what it carries.
"""
