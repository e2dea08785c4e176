"""Celery's side of pindb: tasks read their caller's writes, once `pindb_celery.install(app)` was called."""

from pindb_celery.decorators import caught_up, pinned, unpinned
from pindb_celery.install import install, uninstall

__all__ = ["caught_up", "install", "pinned", "uninstall", "unpinned"]
