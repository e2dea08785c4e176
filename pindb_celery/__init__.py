"""Celery's side of pindb: tasks read what their caller wrote, once `pindb_celery.install(app)` was called."""

from pindb_celery.catching_up import caught_up
from pindb_celery.decorators import pinned, unpinned
from pindb_celery.install import install, uninstall

__all__ = ["caught_up", "install", "pinned", "uninstall", "unpinned"]
