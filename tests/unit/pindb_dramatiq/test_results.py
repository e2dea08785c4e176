"""Results: who takes one reads, from then on, what its actor wrote; nobody without pindb notices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

import dramatiq.broker
import pytest
from django.test import override_settings
from dramatiq import Message, group, pipeline
from dramatiq.brokers.stub import StubBroker
from dramatiq.encoder import PickleEncoder
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultBackend, ResultFailure, ResultMissing, Results, ResultTimeout
from dramatiq.results.backends import StubBackend

import pindb
import pindb_dramatiq
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


@pytest.mark.parametrize("name", ["audit", None])
def test_the_taker_of_a_result_adopts_what_its_actor_wrote(name: str | None, results: Site) -> None:
    message = actor(results, "pin").send(name)
    assert get(results, message) == name
    assert pindb.get_newly_pinned() == ({name} if name else set())


def test_the_taker_of_a_failure_adopts_what_its_actor_wrote(results: Site) -> None:
    message = actor(results, "pin_and_fail").send("audit")
    with pytest.raises(ResultFailure, match="on purpose"):
        get(results, message)
    assert pindb.get_newly_pinned() == {"audit"}


def test_a_result_taken_through_another_object_for_the_same_server_brings_them_too(
    site: Site, request: pytest.FixtureRequest
) -> None:
    with equipped(site, make_backend("redis", request)) as results:
        message = actor(results, "pin").send("audit")
        assert message.get_result(backend=make_backend("redis", request), block=True) == "audit"
    assert pindb.get_newly_pinned() == {"audit"}


def test_a_process_that_has_sent_nothing_takes_results_with_their_pins(
    site: Site, request: pytest.FixtureRequest
) -> None:
    """A web process that asks for what another one has sent, with its broker's middleware listed by name."""
    with equipped(site, make_backend("redis", request)) as results:
        sent = actor(results, "pin").send("audit")
        results.settle()
        before = dramatiq.broker.global_broker
        dramatiq.set_broker(
            StubBroker(middleware=[pindb_dramatiq.PinDbMiddleware(), Results(backend=make_backend("redis", request))])
        )
        try:
            assert Message(**sent.asdict()).get_result() == "audit"
        finally:
            dramatiq.broker.global_broker = before
    assert pindb.get_newly_pinned() == {"audit"}


@pytest.fixture
def no_pindb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker has pindb: those of other tests may still be there."""
    monkeypatch.setattr(pindb_dramatiq.results, "takers", WeakSet())


@pytest.mark.usefixtures("no_pindb")
def test_backends_of_no_broker_bring_pins_as_long_as_there_is_pindb_and_stay_as_they_are() -> None:
    message: Message[Any] = Message(queue_name="default", actor_name="look", args=(), kwargs={}, options={})
    backend = StubBackend()
    backend.store_result(message, "foreign", 10_000)
    untouched = dict(vars(backend))
    broker = StubBroker(middleware=[pindb_dramatiq.PinDbMiddleware()])
    for pins in (EVERYTHING, set()):
        with pindb.pinning_context():
            assert message.get_result(backend=backend) == "foreign"
            assert pindb.get_pinned() == pins
        pindb_dramatiq.uninstall(broker)
    assert vars(backend) == untouched


class Caching(StubBackend):
    """A backend that asks another one, in the usual way, for what it does not have."""

    inner: ResultBackend

    def get_result(self, message: Any, **options: Any) -> Any:
        return message.get_result(backend=self.inner, **options)

    def __len__(self) -> int:
        return 0


def test_a_backend_that_asks_another_one_brings_the_pins_of_that_one(site: Site, no_pindb: None) -> None:
    with equipped(site, StubBackend()) as results:
        message = actor(results, "pin").send("audit")
        results.settle()
        caching = Caching()
        caching.inner = backend_of(results)
        assert message.get_result(backend=caching) == "audit"
    assert pindb.get_newly_pinned() == {"audit"}


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


def test_a_pipelines_result_brings_what_its_steps_wrote(stub_results: Site) -> None:
    pin = actor(stub_results, "pin")
    steps = [pin.message("audit"), pin.message(None)]
    made = pipeline(steps, broker=stub_results.broker).run()
    assert made.get_result(block=True) is None
    assert pindb.get_pinned() == {"audit"}


def test_a_pipelines_results_bring_what_its_steps_wrote(stub_results: Site) -> None:
    pin = actor(stub_results, "pin")
    made = pipeline([pin.message("audit"), pin.message("default")], broker=stub_results.broker).run()
    assert list(made.get_results(block=True)) == ["audit", "default"]
    assert pindb.get_newly_pinned() == EVERYTHING


def test_a_groups_results_bring_what_its_members_wrote(stub_results: Site) -> None:
    pin = actor(stub_results, "pin")
    made = group([pin.message(None), pin.message("audit")], broker=stub_results.broker).run()
    made.wait()
    assert pindb.get_newly_pinned() == {"audit"}


def test_an_actor_that_waits_hands_on_what_it_took(stub_results: Site) -> None:
    look = stub_results.actor(stub_results.report, actor_name="look")

    @stub_results.actor
    def wait(message_id: str) -> None:
        get(stub_results, actor(stub_results, "pin").message("audit").copy(message_id=message_id))
        look.send()

    wait.send(actor(stub_results, "pin").send("audit").message_id)
    assert stub_results.pinned() == ["audit"]


def test_what_it_took_reaches_the_next_message(stub_results: Site) -> None:
    look = stub_results.actor(stub_results.report, actor_name="look")
    get(stub_results, actor(stub_results, "pin").send("audit"))
    look.send()
    assert stub_results.pinned() == ["audit"]


def test_the_result_of_a_retried_message_brings_what_all_attempts_wrote(stub_results: Site) -> None:
    @stub_results.actor(max_retries=1)
    def flaky() -> str:
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            raise ZeroDivisionError
        return "done"

    assert get(stub_results, flaky.send()) == "done"
    assert pindb.get_pinned() == {"audit"}


def test_the_result_of_a_skipped_message_brings_what_it_wrote(stub_results: Site) -> None:
    @stub_results.actor
    def skip() -> None:
        pindb.pin("audit")
        raise SkipMessage

    assert get(stub_results, skip.send()) is None
    assert pindb.get_newly_pinned() == {"audit"}


def test_a_message_failed_without_an_error_brings_what_it_wrote(stub_results: Site) -> None:
    from dramatiq.middleware import CurrentMessage

    stub_results.broker.add_middleware(CurrentMessage())

    @stub_results.actor
    def fail() -> None:
        message: Any = CurrentMessage.get_current_message()
        message.fail()
        pindb.pin("audit")

    with pytest.raises(ResultFailure):
        message = fail.send()
        stub_results.settle()
        get(stub_results, message)
    assert pindb.get_newly_pinned() == {"audit"}


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
