"""Result backends, and a site whose actors have results."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq.encoder import PickleEncoder
from dramatiq.results import ResultBackend, Results
from dramatiq.results.backends import StubBackend

import pindb
from tests.unit.pindb_dramatiq.sites import Site

EVERYTHING = {"default", "audit"}


def make_backend(kind: str, request: pytest.FixtureRequest) -> ResultBackend:
    if kind == "redis":
        from dramatiq.results.backends import RedisBackend

        return RedisBackend(url=request.getfixturevalue("valkey").url(3))
    if kind == "memcached":
        address = request.getfixturevalue("memcached")
        from dramatiq.results.backends import MemcachedBackend

        return MemcachedBackend(servers=[address], binary=True, behaviors={})
    return StubBackend(encoder=PickleEncoder() if kind == "pickled" else None)


@contextlib.contextmanager
def equipped(site: Site, backend: ResultBackend) -> Iterator[Site]:
    [middleware] = [each for each in site.broker.middleware if isinstance(each, Results)]
    site.broker.middleware.remove(middleware)
    site.broker.add_middleware(Results(backend=backend, store_results=True))

    @site.actor
    def pin(name: str | None, *_: object) -> str | None:
        if name:
            pindb.pin(name)
        return name

    @site.actor(max_retries=0)
    def pin_and_fail(name: str) -> None:
        pindb.pin(name)
        raise ZeroDivisionError("on purpose")

    # Two threads: one actor waits for the other, and a worker does not promise to begin with the one sent first.
    with site.working(threads=2):
        yield site


def backend_of(site: Site) -> ResultBackend:
    return site.broker.get_results_backend()


def get(site: Site, message: Any) -> Any:
    return message.get_result(backend=backend_of(site), block=True, timeout=20_000)


def actor(site: Site, name: str) -> Any:
    return site.broker.get_actor(name)
