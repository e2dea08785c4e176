"""Our app beside theirs: all that it does is to install pindb in their Celery app."""

from __future__ import annotations

# begin app
from django.apps import AppConfig


class Replicas(AppConfig):
    name = "tests.guides.not_ours.after"  # a package of yours with this class in its __init__.py
    label = "replicas"

    def ready(self) -> None:
        import pindb_celery
        from tests.guides.not_ours.theirs.celery import app

        pindb_celery.install(app)


# end app
