"""Messages that are published again: by a broker, by a consumer when they are due, by hand."""

from __future__ import annotations

import contextvars
import copy
import json
import logging
import pickle
import threading
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Middleware
from dramatiq.worker import _ConsumerThread

import pindb
from pindb import propagation
from tests.carriers import carrying
from tests.servers import Valkey
from tests.unit.pindb_dramatiq.sites import Site, made_site, names_in, stub_site


def test_rabbitmqs_second_publish_of_one_send_changes_nothing(site: Site) -> None:
    """Its broker emits `before_enqueue` again when it publishes again after a lost connection."""
    message: Message[Any] = Message(queue_name=site.queue, actor_name="look", args=(), kwargs={}, options={})
    pindb.pin("default")
    site.broker.emit_before("enqueue", message, None)
    once = json.loads(message.encode())["options"]
    pindb.pin("audit")
    site.broker.emit_before("enqueue", message, None)
    assert names_in(once[propagation.KEY]) == {"default"}
    assert names_in(message.options[propagation.KEY]) == {"default", "audit"}
    site.broker.emit_after("enqueue", message, None)
    assert message.options == {}


def test_a_message_published_again_over_a_new_connection_has_its_pins() -> None:
    published: list[Any] = []

    class Watch(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            published.append(names_in(message.options[propagation.KEY]))

    with made_site("rabbitmq") as site:
        site.broker.add_middleware(Watch())
        look = site.actor(site.report, actor_name="look")
        look.send()
        site.broker.connection.close()
        pindb.pin("default")
        message = look.send()
        assert published == [set(), {"default"}, {"default"}]
        assert message.options == {}
        with site.working():
            assert sorted([site.pinned(), site.pinned()]) == [[], ["default"]]


def test_a_message_that_redis_delivers_again_because_its_worker_is_gone_has_its_pins(valkey: Valkey) -> None:
    with made_site("redis", valkey.url(0)) as site:
        broker: Any = site.broker
        look = site.actor(site.report, actor_name="look")
        pindb.pin("default")
        look.send()
        assert next(broker.consume(site.queue, timeout=1000)), "taken, and never acknowledged"
        broker.broker_id, broker.heartbeat_timeout = "the next worker", 50
        broker.maintenance_chance = 1_000_000  # out of as many: before each fetch
        with site.working():
            assert site.pinned() == ["default"]


def test_a_message_that_came_from_the_wire_keeps_its_pins_where_there_is_no_context(site: Site) -> None:
    came = carrying(audit=5)
    message: Message[Any] = Message(
        queue_name=site.queue, actor_name="look", args=(), kwargs={}, options={propagation.KEY: came}
    )
    site.broker.declare_queue(site.queue)
    thread = threading.Thread(target=site.broker.enqueue, args=(message,))
    thread.start()
    thread.join()
    pindb.pin("default")
    site.broker.enqueue(message)
    first, second = site.on_the_wire()
    assert first == came
    assert names_in(second) == {"default", "audit"}
    assert message.options == {propagation.KEY: came}


def test_what_middleware_writes_for_one_delayed_message_is_not_carried_by_the_next(site: Site) -> None:
    """The consumer's thread enqueues them again, one after the other, when they are due."""

    class Log(dramatiq.Middleware):
        def after_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            if delay is None:
                pindb.pin("audit")

    site.broker.add_middleware(Log())

    @site.actor
    def look() -> None:
        site.report()

    with site.working():
        for _ in range(3):
            look.send_with_options(delay=1)
            assert site.pinned() == []
            site.settle()


@pytest.mark.parametrize("said", [True, False])
def test_what_a_consumers_thread_was_started_in_is_neither_carried_nor_ended(site: Site, said: bool) -> None:
    """Threads may inherit the context of who starts them, as an option of Python 3.14 has it.

    Where the sender has not said what is pinned, the thread does not either: it is for `PINDB_MISSING_HEADER`.
    """

    class Inheriting(_ConsumerThread):  # type: ignore[misc]
        def __init__(self, context: contextvars.Context) -> None:
            threading.Thread.__init__(self)
            self.context = context

        def run(self) -> None:
            self.context.run(site.broker.enqueue, message)

    site.broker.declare_queue(site.queue)
    options = {propagation.KEY: propagation.outgoing()} if said else {}
    message: Message[Any] = Message(queue_name=site.queue, actor_name="look", args=(), kwargs={}, options=options)
    pindb.pin("default")
    (thread := Inheriting(contextvars.copy_context())).start()
    thread.join()
    assert site.on_the_wire() == [options.get(propagation.KEY)]
    assert pindb.get_pinned() == {"default"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))])
def test_a_copy_that_other_middleware_keeps_of_a_message_has_the_pins_of_its_sender(site: Site, copied: Any) -> None:
    """An outbox: it is enqueued later, by a relay."""
    kept: list[Any] = []

    class Outbox(Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            if not kept:
                kept.append(copied(message))

    site.broker.add_middleware(Outbox())
    look = site.actor(site.report, actor_name="look")
    with pindb.pinning_context():
        pindb.pin("default")
        look.send()
    with pindb.pinning_context():
        pindb.pin("audit")
        site.broker.enqueue(kept[0])
    sent, relayed = site.on_the_wire()
    assert names_in(sent) == {"default"}
    assert names_in(relayed) == {"default", "audit"}


def test_a_message_that_middleware_sends_to_a_second_broker_as_well_has_its_pins_in_both(site: Site) -> None:
    """A move from one broker to another: both encode the object that the sender holds."""
    second = stub_site()
    second.broker.declare_queue(site.queue)

    class Mirror(Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            second.broker.enqueue(message)

    site.broker.add_middleware(Mirror())
    look = site.actor(site.report, actor_name="look")
    pindb.pin("default")
    message = look.send()
    mirrored = Message.decode(second.broker.queues[site.queue].get_nowait()).options[propagation.KEY]
    assert [names_in(value) for value in (mirrored, *site.on_the_wire())] == [{"default"}, {"default"}]
    assert message.options == {}


def test_a_log_handler_may_send_while_a_message_is_sent(site: Site) -> None:
    """Mail to the admins that an actor sends: about this very message, whose option cannot be read."""
    mail = site.actor(lambda: None, actor_name="mail")
    look = site.actor(site.report, actor_name="look")
    sent: list[object] = []

    class Mailer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sent.append(mail.send())

    logger, mailer = logging.getLogger("pindb"), Mailer()
    logger.addHandler(mailer)
    try:
        thread = threading.Thread(target=look.send_with_options, kwargs={propagation.KEY: "garbage"}, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    finally:
        logger.removeHandler(mailer)
    assert len(sent) == 1
    assert len(site.on_the_wire()) == 2
