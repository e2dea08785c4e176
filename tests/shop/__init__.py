"""A small real shop: what the integration tests, the demo and the benchmark run.

Customers place and pay orders over HTTP; a view writes and enqueues; Celery tasks read what the view wrote, and say
which databases they read it from.
"""
