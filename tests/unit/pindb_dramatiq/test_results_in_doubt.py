"""Results of which too little is known, or whose backend fails: nothing fails, and their taker reads masters."""

from __future__ import annotations

import contextlib
from typing import Any

import dramatiq.broker
import pytest
from django.test import override_settings
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import ResultFailure, ResultMissing, ResultTimeout
from dramatiq.results.backends import StubBackend

import pindb
import pindb_dramatiq
from tests.unit.pindb_dramatiq.backends import EVERYTHING, actor, backend_of, equipped, get
from tests.unit.pindb_dramatiq.sites import Site


def test_without_a_backend_dramatiq_says_so(site: Site) -> None:
    before, dramatiq.broker.global_broker = dramatiq.broker.global_broker, StubBroker(middleware=[])
    try:
        with pytest.raises(RuntimeError, match="backend"):
            site.actor(lambda: None, actor_name="look").message().get_result()
    finally:
        dramatiq.broker.global_broker = before


def test_a_result_that_is_not_there_pins_nothing(results: Site) -> None:
    message = actor(results, "pin").message("audit")
    with pytest.raises(ResultMissing):
        message.get_result(backend=backend_of(results))
    with pytest.raises(ResultTimeout):
        message.get_result(backend=backend_of(results), block=True, timeout=50)
    assert pindb.get_newly_pinned() == set()


@pytest.mark.usefixtures("no_pindb")
def test_who_has_no_pindb_finds_the_result_as_it_always_was(results: Site) -> None:
    message = actor(results, "pin").send("audit")
    results.settle()
    with pindb.pinning_context():
        assert get(results, message) == "audit"
        assert pindb.get_newly_pinned() == {"audit"}
    pindb_dramatiq.uninstall(results.broker)
    assert get(results, message) == "audit"
    assert pindb.get_newly_pinned() == set()


def test_a_result_that_no_pindb_stored_pins_every_set_without_ado(
    results: Site, caplog: pytest.LogCaptureFixture
) -> None:
    message = actor(results, "pin").message(None)
    backend = backend_of(results)
    type(backend).store_result(backend, message, "foreign", 10_000)
    assert get(results, message) == "foreign"
    assert pindb.get_newly_pinned() == EVERYTHING
    assert not [record for record in caplog.records if record.name.startswith("pindb")]


@pytest.mark.parametrize("garbage", ["x", 5, {"given": "9"}, None, {"__t": "dramatiq.results.Result", "exn": 5}])
def test_garbage_beside_a_result_pins_every_set_and_fails_nothing(garbage: Any, stub_results: Site) -> None:
    message = actor(stub_results, "pin").message(None)
    backend = backend_of(stub_results)
    type(backend).store_result(backend, message, "mine", 10_000)
    type(backend).store_result(backend, pindb_dramatiq.results._sibling(message), garbage, 10_000)
    assert get(stub_results, message) == "mine"
    assert pindb.get_newly_pinned() == EVERYTHING


class Failing(StubBackend):
    """A backend that fails for what is pindb's own."""

    def _check(self, message: Any) -> None:
        if message.message_id.endswith("-pindb"):
            raise ConnectionError

    def store_result(self, message: Any, result: Any, ttl: int) -> None:
        self._check(message)
        super().store_result(message, result, ttl)

    def get_result(self, message: Any, **options: Any) -> Any:
        self._check(message)
        return super().get_result(message, **options)


def test_a_backend_that_fails_fails_no_result_and_its_taker_reads_masters(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with equipped(site, Failing()) as failing:
        assert get(failing, actor(failing, "pin").send("audit")) == "audit"
    assert pindb.get_newly_pinned() == EVERYTHING
    assert "could not store" in caplog.text
    assert "could not get" in caplog.text


class Wrapping(StubBackend):
    """A user's backend with a format of its own."""

    def store_result(self, message: Any, result: Any, ttl: int) -> None:
        super().store_result(message, {"wrapped": result}, ttl)

    def unwrap_result(self, res: Any) -> Any:
        return super().unwrap_result(res)["wrapped"]


def test_a_backend_with_a_format_of_its_own_carries_pins_too(site: Site) -> None:
    with equipped(site, Wrapping()) as wrapping:
        assert get(wrapping, actor(wrapping, "pin").send("audit")) == "audit"
    assert pindb.get_newly_pinned() == {"audit"}


@pytest.mark.parametrize("name", ["pin", "pin_and_fail"])
def test_a_worker_in_which_pindb_is_not_the_first_makes_who_takes_a_result_read_masters(name: str, site: Site) -> None:
    ours = site.broker.middleware.pop(0)
    with equipped(site, StubBackend()) as misplaced:
        site.broker.add_middleware(ours)
        with contextlib.suppress(ResultFailure):
            get(misplaced, actor(misplaced, name).send("audit"))
    assert pindb.get_newly_pinned() == EVERYTHING


@override_settings(PINDB_ENABLED=False)
def test_disabled_the_backend_sees_what_it_would_without_pindb(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    before = len(StubBackend.results)
    with equipped(site, Failing()) as disabled:
        assert get(disabled, actor(disabled, "pin").send("audit")) == "audit"
    assert len(StubBackend.results) == before + 1
    assert pindb.get_newly_pinned() == set()
    assert "pindb" not in {record.name.partition(".")[0] for record in caplog.records}
