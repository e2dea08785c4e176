"""Django's database cache is read and written on the master, and pins nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches

import pindb
from tests.integration.apart.place import handed_on, places, reads_replica, statements

pytestmark = pytest.mark.usefixtures("place")


async def set_and_get(cache: Any) -> Any:
    await cache.aset("new", 2)
    return await cache.aget("new")


OPERATIONS: dict[str, tuple[Callable[[Any], object], object]] = {
    "get": (lambda cache: cache.get("stored"), 1),
    "get_many": (lambda cache: cache.get_many(["stored", "missing"]), {"stored": 1}),
    "get of what has expired": (lambda cache: cache.get("expired"), None),
    "has_key": (lambda cache: cache.has_key("stored"), True),
    "set": (lambda cache: (cache.set("new", 2), cache.get("new")), (None, 2)),
    "set again": (lambda cache: (cache.set("stored", 2), cache.get("stored")), (None, 2)),
    "set_many": (lambda cache: (cache.set_many({"new": 2}), cache.get("new")), ([], 2)),
    "add": (lambda cache: (cache.add("new", 2), cache.add("new", 3), cache.get("new")), (True, False, 2)),
    "get_or_set": (lambda cache: cache.get_or_set("new", 2), 2),
    "incr": (lambda cache: (cache.incr("stored"), cache.get("stored")), (2, 2)),
    "touch": (lambda cache: (cache.touch("stored", 60), cache.touch("missing", 60)), (True, False)),
    "delete": (lambda cache: (cache.delete("stored"), cache.get("stored")), (True, None)),
    "delete_many": (lambda cache: (cache.delete_many(["stored"]), cache.get("stored")), (None, None)),
    "clear": (lambda cache: (cache.clear(), cache.get("stored")), (None, None)),
    "what is more than it may hold": (lambda cache: [cache.set(str(n), n) for n in range(30)][-1], None),
    "aset and aget": (async_to_sync(set_and_get), 2),
}


@pytest.fixture
def cache() -> Any:
    """The cache, in which a key is stored, and one that has expired."""
    with pindb.pinning_context(), pindb.master("default"):
        caches["table"].clear()
        caches["table"].set("stored", 1)
        caches["table"].set("expired", 1, timeout=-1)
    return caches["table"]


@pytest.mark.parametrize(("operation", "result"), OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_runs_on_the_master_and_pins_nothing(
    cache: Any, operation: Callable[[Any], object], result: object
) -> None:
    with statements() as seen:
        assert operation(cache) == result
    assert places(seen, "cache_table") == {"default"}
    assert handed_on() == set()
    assert reads_replica()


def test_a_cache_that_inherits_from_django_s_is_one() -> None:
    cache = caches["own"]
    with statements() as seen:
        cache.set("new", 2)
        assert cache.get("new") == 2
    assert places(seen, "own_cache_table") == {"default"}
    assert handed_on() == set()
    assert reads_replica()
