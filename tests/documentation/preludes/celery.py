"""The task module of a project: its app, its tasks, and what a task starts a thread with."""

import contextvars
import threading
from typing import Any

from celery import Celery

from .common import *

app: Celery
work: Any
