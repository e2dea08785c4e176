"""A task module, for the one example of Celery."""

from celery import Celery

import pindb_celery

from .common import *

app: Celery
