"""Carries pins through django-tasks-rq: Django's tasks on RQ. The backend in TASKS stays as it is.

RQ = {"QUEUE_CLASS": "pindb.contrib.django_rq.Queue"}
manage.py rqworker --job-class pindb.contrib.django_tasks_rq.Job
"""

from __future__ import annotations

from django_tasks_rq import Job as PlainJob

from pindb.contrib.rq import JobMixin


class Job(JobMixin, PlainJob):
    """The job of django-tasks-rq, which runs in a unit of work with the pins that it carries."""
