"""What Celery's worker runs: a task that only reads, and says where."""

from __future__ import annotations

import django

django.setup()

from celery import Celery  # noqa: E402

import pindb_celery  # noqa: E402
from tests.shop import observe  # noqa: E402
from tests.shop.models import Customer  # noqa: E402

app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")
pindb_celery.install(app)


@app.task
def count() -> dict[str, int]:
    """Read a row that the standby has; return how many reads ran on which alias."""
    with observe.reads() as reads:
        assert Customer.objects.get(name="Ada")
    return reads


@app.task
def both(counts: list[dict[str, int]]) -> list[dict[str, int]]:
    """Return what the tasks of a chord have returned."""
    return counts
