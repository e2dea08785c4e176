"""Results: who takes one reads, from then on, what its actor wrote; nobody without pindb notices."""

from __future__ import annotations

from typing import Any

import dramatiq.broker
import pytest
from dramatiq import Message, group, pipeline
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage
from dramatiq.results import ResultBackend, ResultFailure, Results
from dramatiq.results.backends import StubBackend

import pindb
import pindb_dramatiq
from tests.unit.pindb_dramatiq.backends import EVERYTHING, actor, backend_of, equipped, get, make_backend
from tests.unit.pindb_dramatiq.sites import Site


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


def test_who_stores_a_result_or_an_exception_may_name_the_arguments(stub_results: Site) -> None:
    backend = backend_of(stub_results)
    message: Message[Any] = Message(queue_name="default", actor_name="look", args=(), kwargs={}, options={})
    backend.store_exception(message, exception=ZeroDivisionError("by name"), ttl=10_000)
    with pytest.raises(ResultFailure, match="by name"):
        backend.get_result(message)
    backend.store_result(message, result="by name", ttl=10_000)
    assert backend.get_result(message) == "by name"
