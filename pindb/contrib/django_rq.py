"""Carries pins through django-rq.

    RQ = {"QUEUE_CLASS": "pindb.contrib.django_rq.Queue", "JOB_CLASS": "pindb.contrib.rq.Job"}

By default django-rq enqueues when the transaction commits: the pins are taken then.
"""

from __future__ import annotations

from django_rq.queues import DjangoRQ

from pindb.contrib.rq import QueueMixin


class Queue(QueueMixin, DjangoRQ):
    """django-rq's queue, whose jobs carry the pins of who enqueues them."""
