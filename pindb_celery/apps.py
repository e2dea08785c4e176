"""The Celery apps that pindb is installed in: every hook asks here whether it is meant."""

from __future__ import annotations

from typing import Final

from celery import Celery

installed: Final[set[Celery]] = set()
