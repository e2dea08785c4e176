"""The Celery apps that pindb is installed in. Each hook and each patch asks here whether its app is one of them."""

from __future__ import annotations

from typing import Final

from celery import Celery

installed: Final[set[Celery]] = set()
