"""Pins in a message: what goes out, whichever way it is sent, and that it is the sender's own."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from datetime import timedelta
from typing import Any

import dramatiq
import pytest
from django.test import override_settings
from dramatiq import Message, group, pipeline
from hypothesis import given
from hypothesis import strategies as st

import pindb
from pindb import propagation
from pindb.core import codec
from pindb.core.pins import PinSet
from pindb.once import Once
from pindb.propagation import carriers
from pindb_dramatiq import publishing
from tests.carriers import NOTHING_PINNED
from tests.unit.core.test_codec import json_values
from tests.unit.pindb_dramatiq.sites import Site, names_in, stub_site


@pytest.fixture
def look(any_site: Site) -> Any:
    @any_site.actor
    def look(*_: object) -> None:
        any_site.report()

    return look


WAYS = {
    "send": lambda look: look.send(),
    "send_with_options": lambda look: look.send_with_options(args=(1,)),
    "delay": lambda look: look.send_with_options(delay=10),
    "timedelta": lambda look: look.send_with_options(delay=timedelta(milliseconds=10)),
    "enqueue": lambda look: look.broker.enqueue(look.message()),
    "enqueue delayed": lambda look: look.broker.enqueue(look.message(), delay=10),
    "by name": lambda look: look.broker.enqueue(
        Message(queue_name=look.queue_name, actor_name="look", args=(), kwargs={}, options={})
    ),
    "pipeline": lambda look: pipeline([look.message()], broker=look.broker).run(),
    "pipeline delayed": lambda look: pipeline([look.message()], broker=look.broker).run(delay=10),
    "group": lambda look: group([look.message()], broker=look.broker).run(),
    "group delayed": lambda look: group([look.message()], broker=look.broker).run(delay=10),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_callers_pins_arrive_as_carried_pins_whichever_way_it_sends(way: str, any_site: Site, look: Any) -> None:
    send = WAYS[way]
    with any_site.working():
        send(look)
        assert any_site.next() == ("", [], [])
        pindb.pin("default")
        send(look)
        assert any_site.next() == ("", ["default"], [])
        with pindb.pinning_context():
            send(look)
            assert any_site.next() == ("", [], [])


def test_a_message_object_enqueued_from_two_contexts_carries_each_ones_own_pins(any_site: Site, look: Any) -> None:
    message = look.message()
    with any_site.working():
        pindb.pin("default")
        any_site.broker.enqueue(message)
        with pindb.pinning_context():
            pindb.pin("audit")
            any_site.broker.enqueue(message)
        assert message.options == {}, "the sender's object is left as it was"
        assert sorted([any_site.pinned(), any_site.pinned()]) == [["audit"], ["default"]]


def test_a_message_object_enqueued_by_two_threads_at_once_loses_the_pins_of_neither(site: Site) -> None:
    """A StubBroker and RabbitMQ's encode the object itself, which both threads have written to by then."""
    both_have_begun = threading.Barrier(2, timeout=20)

    class Meet(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            both_have_begun.wait()

    site.broker.add_middleware(Meet())
    site.broker.declare_queue(site.queue)
    message: Message[Any] = Message(queue_name=site.queue, actor_name="look", args=(), kwargs={}, options={})

    def publish(name: str) -> None:
        with pindb.pinning_context():
            pindb.pin(name)
            site.broker.enqueue(message)

    threads = [threading.Thread(target=publish, args=(name,)) for name in ("default", "audit")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [names_in(value) for value in site.on_the_wire()] == [{"default", "audit"}] * 2
    assert message.options == {}


def test_a_thread_with_nothing_pinned_takes_nothing_away_from_one_that_publishes_the_same_object(site: Site) -> None:
    message = site.actor(lambda: None, actor_name="look").message()

    def publish() -> None:
        pindb.pin("default")
        site.broker.emit_before("enqueue", message, None)

    site.broker.emit_before("enqueue", message, None)
    (thread := threading.Thread(target=publish)).start()
    thread.join()
    site.broker.emit_after("enqueue", message, None)
    assert names_in(message.options[propagation.KEY]) == {"default"}, "it has not been encoded yet"


def test_a_publish_that_failed_leaves_nothing_for_the_next(site: Site) -> None:
    class Refuse(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            if "default" in pindb.get_pinned():
                raise dramatiq.middleware.MiddlewareError

    site.broker.add_middleware(Refuse())
    site.broker.declare_queue(site.queue)
    message: Message[Any] = Message(queue_name=site.queue, actor_name="look", args=(), kwargs={}, options={})
    with pindb.pinning_context():
        pindb.pin("default")
        with pytest.raises(dramatiq.middleware.MiddlewareError):
            site.broker.enqueue(message)
    site.broker.enqueue(message)
    assert [names_in(value) for value in site.on_the_wire()] == [set()]
    assert message.options == {}


def test_a_publish_that_failed_in_another_thread_is_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "ENCODED", 0)
    site.broker.declare_queue(site.queue)
    message: Message[Any] = Message(queue_name=site.queue, actor_name="look", args=(), kwargs={}, options={})

    def fail() -> None:
        with pindb.pinning_context():
            pindb.pin("default")
            site.broker.emit_before("enqueue", message, None)  # and nothing after it

    (thread := threading.Thread(target=fail)).start()
    thread.join()
    assert names_in(message.options[propagation.KEY]) == {"default"}
    site.broker.enqueue(message)
    assert [names_in(value) for value in site.on_the_wire()] == [set()]
    assert message.options == {}


def test_a_message_that_was_published_can_be_pickled_and_copied(site: Site) -> None:
    @site.actor
    def look() -> None: ...

    message = look.send()
    assert pickle.loads(pickle.dumps(message)) == message == copy.deepcopy(message)
    site.broker.enqueue(pickle.loads(pickle.dumps(message)))


def test_a_sender_with_nothing_pinned_says_so(site: Site) -> None:
    @site.actor
    def look() -> None: ...

    message = look.send()
    assert site.on_the_wire() == [NOTHING_PINNED]
    with pindb.pinning_context():
        pindb.pin("default")
        site.broker.enqueue(message)
    site.broker.enqueue(message)
    assert [names_in(value) for value in site.on_the_wire()] == [{"default"}, set()], "and so it does the next time"


def test_a_sender_with_nothing_pinned_sends_no_option_on_that_is_too_large(site: Site) -> None:
    @site.actor
    def look() -> None: ...

    look.send_with_options(**{propagation.KEY: "x" * 100_000})
    [value] = site.on_the_wire()
    assert len(value) < 100


@override_settings(PINDB_ENABLED=False)
def test_disabled_nothing_is_written(site: Site) -> None:
    @site.actor
    def look() -> None: ...

    pindb.pin("default")
    look.send()
    assert site.on_the_wire() == [None]


@pytest.mark.parametrize(("setting", "pinned"), [("replica", []), ("master", ["audit", "default"])])
def test_a_message_that_no_pindb_wrote_is_as_the_setting_says(setting: str, pinned: list[str], site: Site) -> None:
    plain = stub_site(installed=False)

    @plain.actor
    def look() -> None: ...

    @site.actor(actor_name="look")
    def looking() -> None:
        site.report()

    pindb.pin("default")
    message = look.send().copy(queue_name=site.queue)
    with override_settings(PINDB_MISSING_HEADER=setting), site.working():
        site.broker.queues[site.queue].put(message.encode())
        assert site.pinned() == pinned


GARBAGE: list[Any] = ["x", 5, [1], {}, {"v": 9}, "9;default=5", "1;default=x", "1;=1", "", True]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_in_the_option_means_masters_and_one_line_in_the_log(
    garbage: Any, site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carriers, "warned", Once())

    @site.actor
    def look() -> None:
        site.report()

    with site.working():
        site.broker.queues[site.queue].put(look.message_with_options(**{propagation.KEY: garbage}).encode())
        assert site.pinned() == ["audit", "default"]
        assert len([record for record in caplog.records if record.name == "pindb"]) == 1
        look.send()
        assert site.pinned() == []


@given(garbage=json_values | st.text().map("1;".__add__))
def test_no_option_however_strange_fails_a_send_or_an_actor(garbage: Any, running: tuple[Site, Any]) -> None:
    site, look = running
    look.send_with_options(**{propagation.KEY: garbage})
    site.next()


@pytest.fixture
def running(site: Site) -> Any:
    @site.actor
    def look() -> None:
        site.report()

    with site.working():
        yield site, look


def test_pins_that_do_not_fit_arrive_as_a_pin_on_every_set(site: Site) -> None:
    value = codec.encode(PinSet({f"set{number:03}" * 9: time.time() + 5 for number in range(60)}))

    @site.actor
    def look() -> None:
        site.report()

    with site.working():
        look.send_with_options(**{propagation.KEY: value})
        assert site.pinned() == ["audit", "default"]


def test_a_core_that_fails_fails_no_send_and_its_actor_reads_masters(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError

    @site.actor
    def look() -> None:
        site.report()

    monkeypatch.setattr(codec, "encode", broken)
    monkeypatch.setattr(codec, "decode", broken)
    with site.working():
        look.send_with_options(**{propagation.KEY: NOTHING_PINNED})
        assert site.pinned() == ["audit", "default"]
    assert "could not hand on" in caplog.text
    assert "could not open" in caplog.text
