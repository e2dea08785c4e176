"""Where `rundramatiq` looks for actors."""

from __future__ import annotations

from typing import Any

import dramatiq

import pindb
from tests.shop import observe
from tests.shop.models import Customer


@dramatiq.actor(store_results=True)
def greet(name: str) -> Any:
    """Look for a customer."""
    with observe.reads() as reads:
        found = Customer.objects.filter(name=name).exists()
    return {"found": found, "reads": reads, "pinned": sorted(pindb.get_pinned())}


@dramatiq.actor(store_results=True)
def rename(name: str, new: str) -> None:
    """Write."""
    Customer.objects.filter(name=name).update(name=new)
