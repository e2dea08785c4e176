"""Units of work side by side: threads, direct calls, actors run at once; none sees another's pins."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

import pindb
import pindb_dramatiq
from pindb import propagation
from pindb.adapters.wait_for_replica import Requeue
from pindb.core import frames, unit_of_work
from pindb.core.pins import NOTHING, PinSet
from pindb.propagation import messages
from pindb_dramatiq import caught_up
from pindb_dramatiq.unit_of_work import current_message, enabled
from tests.carriers import carrying
from tests.unit.pindb_dramatiq.sites import TIMEOUT, Site


def test_a_direct_call_is_a_function_call(site: Site) -> None:
    @site.actor
    def look() -> None:
        pindb.pin("audit")
        site.report()

    pindb.pin("default")
    look()
    assert site.next() == ("", ["audit", "default"], ["audit", "default"])
    assert pindb.get_newly_pinned() == {"default", "audit"}


def test_messages_processed_at_once_do_not_see_each_others_pins(site: Site) -> None:
    together = threading.Barrier(4, timeout=TIMEOUT)

    @site.actor
    def look(name: str | None) -> None:
        if name is not None:
            pindb.pin(name)
        together.wait()
        site.report(name or "")

    with site.working(threads=4):
        for name in ("default", "audit", None, None):
            look.send(name)
        seen = sorted(site.next() for _ in range(4))
    assert seen == [("", [], []), ("", [], []), ("audit", ["audit"], ["audit"]), ("default", ["default"], ["default"])]


def test_what_the_worker_was_started_in_is_not_the_actors(site: Site) -> None:
    @site.actor
    def look() -> None:
        site.report()

    look.send()
    pindb.pin("default")
    with site.working() as worker:
        assert isinstance(worker, Worker)
        assert site.next() == ("", [], [])


def test_a_thread_that_an_actor_starts_has_its_pins_only_in_a_copy_of_its_context(site: Site) -> None:
    @site.actor
    def spawn() -> None:
        pindb.pin("default")
        for target in (site.report, contextvars.copy_context().run):
            thread = threading.Thread(target=target, args=(site.report,) if target is not site.report else ())
            thread.start()
            thread.join()

    with site.working():
        spawn.send()
        assert [site.pinned(), site.pinned()] == [[], ["default"]]


class EagerBroker(StubBroker):
    """As there are for tests: runs the actor of a message at once, in its sender's thread."""

    def enqueue(self, message: Any, *, delay: int | None = None) -> Any:
        self.emit_before("enqueue", message, delay)
        proxy = dramatiq.MessageProxy(dramatiq.Message.decode(message.encode()))
        self.emit_before("process_message", proxy)
        self.emit_after("process_message", proxy, result=self.get_actor(proxy.actor_name)(*proxy.args))
        self.emit_after("enqueue", message, delay)
        return message


@pytest.fixture
def eager() -> Site:
    site = Site(EagerBroker())
    pindb_dramatiq.install(site.broker)
    return site


def test_an_actor_run_at_once_inside_another_cannot_unpin_that_one(
    eager: Site, caplog: pytest.LogCaptureFixture
) -> None:
    inner = eager.actor(pindb.unpin_all, actor_name="inner")

    @eager.actor
    def outer() -> None:
        pindb.pin("default")
        inner.send()
        eager.report()

    outer.send()
    assert eager.pinned() == ["default"]
    assert "PinDbMiddleware" not in caplog.text, "a hook of ours that failed"


def test_an_actor_run_at_once_is_never_put_back(eager: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be run again at once, by its sender, who would then be told that it was skipped."""
    answers = iter([Requeue(1.0, 1.0)])
    monkeypatch.setattr(caught_up, "requeue_needed", lambda *_: next(answers, None))
    look = eager.actor(caught_up("default")(eager.report), actor_name="look")
    look.send()
    assert eager.pinned() == []


def test_an_actor_run_at_once_inside_another_leaves_that_ones_unit_of_work_as_it_was(eager: Site) -> None:
    site = eager

    @site.actor
    def inner(name: str) -> None:
        site.report("inner")
        pindb.pin(name)

    @site.actor
    def outer() -> None:
        pindb.pin("default")
        inner.send("default")
        site.report("outer")
        inner.send("audit")
        site.report("outer")

    with pindb.pinning_context():
        outer.send()
        assert [site.next() for _ in range(4)] == [
            ("inner", ["default"], ["default"]),
            ("outer", ["default"], ["default"]),
            ("inner", ["default"], ["default"]),
            ("outer", ["audit", "default"], ["audit", "default"]),
        ]
        assert pindb.get_newly_pinned() == {"audit", "default"}, "handed back"
    assert current_message() is None


def test_an_actor_run_at_once_inside_a_workers_leaves_that_ones_unit_of_work_as_it_was(eager: Site, site: Site) -> None:
    inner = eager.actor(lambda: pindb.pin("audit"), actor_name="inner")

    @site.actor
    def outer() -> None:
        pindb.pin("default")
        inner.send()
        site.report()

    with site.working():
        outer.send()
        assert site.next() == ("", ["audit", "default"], ["audit", "default"])


def test_an_actor_run_at_once_has_what_its_message_holds_and_its_sender_does_not(eager: Site) -> None:
    """A member of a group that is the last one to finish enqueues the callback, with the pins of all members."""
    look = eager.actor(eager.report, actor_name="look")
    look.send_with_options(**{propagation.KEY: carrying(audit=5)})
    assert eager.next() == ("", ["audit"], [])


def test_a_message_processed_at_once_that_is_another_ones_is_no_part_of_the_sender(eager: Site) -> None:
    """A broker for tests that works off its queue whenever something is sent."""
    look = eager.actor(eager.report, actor_name="look")
    with pindb.pinning_context():
        other = look.message()

    class WorksOff(dramatiq.Middleware):
        def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
            proxy = dramatiq.MessageProxy(other)
            broker.emit_before("process_message", proxy)
            eager.report("other")
            broker.emit_after("process_message", proxy)

    eager.broker.add_middleware(WorksOff())
    pindb.pin("default")
    look.send()
    assert eager.next() == ("other", [], [])
    assert eager.next() == ("", ["default"], ["default"])


def test_an_actor_run_at_once_that_fails_and_is_never_closed_ends_with_the_one_around_it(eager: Site) -> None:
    @eager.actor
    def inner() -> None:
        raise ZeroDivisionError  # such a broker says nothing more of it

    @eager.actor
    def outer() -> None:
        pindb.pin("default")
        with contextlib.suppress(ZeroDivisionError):
            inner.send()

    with pindb.pinning_context():
        before = frames.frame_var.get()
        outer.send()
        assert current_message() is None
        assert frames.frame_var.get() is before


def test_asking_whether_pindb_is_enabled_hands_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """To hand on may mean to ask a master for its position."""
    handed_on: set[str] = set()

    def pins_to_hand_on(_config: object, unit: unit_of_work.UnitOfWork, *_: float) -> PinSet:
        handed_on.update(unit.newly_pinned)
        return NOTHING

    monkeypatch.setattr(messages, "pins_to_hand_on", pins_to_hand_on)
    pindb.pin("default")
    assert enabled()
    assert not handed_on
