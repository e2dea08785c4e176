"""A task module."""

from celery import Celery

from .common import *

app: Celery
