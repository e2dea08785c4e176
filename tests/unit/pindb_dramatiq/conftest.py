"""Sites for the tests: `site` is on a StubBroker, `any_site` on each kind of broker, `results` has result backends."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from weakref import WeakSet

import pytest
from dramatiq.results import ResultBackend
from dramatiq.results.backends import StubBackend

import pindb_dramatiq
from pindb.testing.servers.processes.ports import HOST, start_on_free_port
from tests.servers import Kept, Valkey
from tests.services import missing
from tests.unit.pindb_dramatiq.backends import equipped, make_backend
from tests.unit.pindb_dramatiq.sites import Site, made_site, stub_site


@pytest.fixture
def site() -> Iterator[Site]:
    made = stub_site()
    yield made
    made.broker.close()


@pytest.fixture(scope="package")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


@pytest.fixture(scope="package")
def memcached() -> Iterator[str]:
    """The address of a Memcached; its client library comes without wheels, so it is none of the test dependencies."""
    program = shutil.which("memcached")
    if program is None or importlib.util.find_spec("pylibmc") is None:
        missing("Memcached or its client library, pylibmc, is not installed.")
    command = [program, "-vv", "-u", "nobody", "-l", HOST]
    process, port = start_on_free_port(lambda port: Kept([*command, "-p", str(port)]), "server listening")
    yield f"{HOST}:{port}"
    process.stop()


@pytest.fixture(params=["stub", "redis", "rabbitmq"])
def any_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        url = request.getfixturevalue("valkey").url(0) if request.param == "redis" else ""
        yield stack.enter_context(made_site(request.param, url))


@pytest.fixture(params=["stub", "pickled", "redis", "memcached"])
def backend(request: pytest.FixtureRequest) -> ResultBackend:
    """The result backends that ship with Dramatiq."""
    return make_backend(request.param, request)


@pytest.fixture
def results(site: Site, backend: ResultBackend) -> Iterator[Site]:
    with equipped(site, backend) as made:
        yield made


@pytest.fixture
def stub_results(site: Site) -> Iterator[Site]:
    with equipped(site, StubBackend()) as made:
        yield made


@pytest.fixture
def no_pindb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker has pindb: those of other tests may still be there."""
    monkeypatch.setattr(pindb_dramatiq.results, "takers", WeakSet())
