"""How a failure in a hook of pindb is logged: with its traceback, unless the process has no Django settings at all."""

from __future__ import annotations

import logging
import sys
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pindb.once import Once

logger: Final = logging.getLogger("pindb")

_told: Final = Once()


def log_failure(problem: str) -> None:
    """Log the exception that is being handled. `problem` says what failed, and what that costs.

    A process without Django settings fails at each message, and its log should stay readable: one line, once.
    """
    error = sys.exception()
    if settings.configured or not isinstance(error, ImproperlyConfigured):
        logger.error(problem, exc_info=error)
    elif _told.first_time("no Django settings"):
        logger.warning(
            "This process uses pindb but has no Django settings, so nobody knows what it has written: the tasks that "
            "it publishes read masters. Set DJANGO_SETTINGS_MODULE, or do not install pindb here. Logged once."
        )
