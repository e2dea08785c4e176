"""The module that makes the Celery app."""

from celery import Celery

from .common import *
