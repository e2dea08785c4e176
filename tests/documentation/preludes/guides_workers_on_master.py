"""Settings and tasks of a project whose workers read the master."""

import os
from typing import Any

from celery import Celery

import pindb_celery

from .common import *

app: Celery
flags: Any
