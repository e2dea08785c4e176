"""Tasks of the site that only read, and say where."""

from __future__ import annotations

from django.tasks import task

from tests.shop import observe
from tests.shop.models import Customer


@task
def count() -> dict[str, int]:
    """Read a row that the standby has; return how many reads ran on which alias."""
    with observe.reads() as reads:
        assert Customer.objects.get(name="Ada")
    return reads
