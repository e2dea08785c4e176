"""The unit of work around an actor: opened once, closed on every path, nothing of it left for the next message.

Each test lets a message end in one way, then asks what the next message on the same thread sees.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
from dramatiq import Middleware
from dramatiq.middleware import MiddlewareError, SkipMessage, TimeLimit, raise_thread_exception
from dramatiq.middleware.shutdown import Shutdown

import pindb
import pindb_dramatiq
from pindb import adapters
from pindb.core import frames
from pindb_dramatiq import PinDbMiddleware
from pindb_dramatiq.unit_of_work import current_message, on_task_end, on_task_start
from tests.unit.pindb_dramatiq.sites import TIMEOUT, Incoming, Site, stub_site


class Hooks(Middleware):
    """Its hooks are what a test says, for the actor "troubled" only."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        self.hooks = hooks

    def _call(self, name: str, message: Any, **options: Any) -> None:
        if message.actor_name == "troubled" and name in self.hooks:
            self.hooks[name](message, **options)

    def before_process_message(self, broker: Any, message: Any) -> None:
        self._call("before", message)

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        self._call("after", message, exception=exception)

    def after_skip_message(self, broker: Any, message: Any) -> None:
        self._call("skip", message)


class Balance(Middleware):
    """Says after each message, once all other middleware is through with it, what frame its thread is left in."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def after_ack(self, broker: Any, message: Any) -> None:
        self.frames.append((frames.frame_var.get(), current_message()))

    after_nack = after_ack


def raising(error: type[BaseException]) -> Callable[..., None]:
    def raise_it(*_: Any, **__: Any) -> None:
        raise error

    return raise_it


def write(*_: Any, **__: Any) -> None:
    pindb.pin("default")
    pindb.unpinned_replica("audit").__enter__()  # left open: the end of the unit of work ends it


def run(site: Site, body: Callable[..., None] = write, **options: Any) -> None:
    """Run a message for "troubled", then say what the next one on the same thread sees."""
    balance = Balance()
    site.broker.add_middleware(balance)

    @site.actor(max_retries=0, **options)
    def troubled() -> None:
        body()

    @site.actor
    def next_one() -> None:
        site.report("next")

    with site.working():
        troubled.send()
        site.settle()
        next_one.send()
        assert site.next() == ("next", [], [])
        site.settle()
    assert balance.frames == [(None, None)] * 2


def fail(error: type[BaseException]) -> Callable[..., None]:
    def write_and_fail() -> None:
        write()
        raise error

    return write_and_fail


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, SkipMessage, MiddlewareError, SystemExit, KeyboardInterrupt, Shutdown, dramatiq.Retry]
)
def test_whatever_the_actor_raises_the_next_message_sees_nothing(error: type[BaseException], site: Site) -> None:
    run(site, fail(error))


@pytest.mark.parametrize("hooks", [{}, {"before": lambda message: message.fail()}])
def test_success_or_failing_without_an_error_leaves_nothing(hooks: Any, site: Site) -> None:
    site.broker.add_middleware(Hooks(**hooks))
    run(site)


def test_an_expected_error_leaves_nothing(site: Site) -> None:
    run(site, fail(ZeroDivisionError), throws=ZeroDivisionError)


@pytest.mark.parametrize("error", [SkipMessage, MiddlewareError, ZeroDivisionError, SystemExit])
@pytest.mark.parametrize("hook", ["before", "after"])
def test_whatever_other_middleware_raises_the_next_message_sees_nothing(hook: str, error: Any, site: Site) -> None:
    # After a BaseException Dramatiq calls the hooks again; raised again, it would end the thread.
    errors = iter([error])

    def raise_once(*_: object, **__: object) -> None:
        raise next(errors, ZeroDivisionError)

    site.broker.add_middleware(Hooks(**{hook: raise_once}))
    run(site)


def test_an_error_in_a_hook_for_a_skipped_message_leaves_nothing(site: Site) -> None:
    site.broker.add_middleware(Hooks(before=raising(SkipMessage), skip=raising(ZeroDivisionError)))
    run(site)


@pytest.mark.parametrize("error", [SkipMessage, MiddlewareError])
def test_never_opened_it_is_not_closed(error: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Middleware before ours, where ours should not be, ends the message first."""
    site = stub_site(installed=False)
    site.broker.add_middleware(Hooks(before=raising(error)))
    site.broker.add_middleware(PinDbMiddleware())
    run(site)
    assert "PinDbMiddleware object" not in caplog.text, "a hook of ours that failed"


def test_closed_twice_is_closed_once() -> None:
    message: Any = Incoming({})
    pindb.pin("default")
    on_task_start(message)
    on_task_end(message)
    on_task_end(message)
    assert pindb.get_pinned() == {"default"}


def test_a_message_skipped_by_later_middleware_was_open_until_then(site: Site) -> None:
    def wrote(message: Any) -> None:
        write()
        raise SkipMessage

    site.broker.add_middleware(Hooks(before=wrote, skip=lambda message: site.report("skipped")))
    site.broker.add_middleware(balance := Balance())

    @site.actor
    def troubled() -> None: ...

    with site.working():
        troubled.send()
        assert site.next() == ("skipped", ["default"], ["default"])
        site.settle()
    assert balance.frames == [(None, None)]


@pytest.fixture
def timed() -> Site:
    """A site whose time limits are looked at often; a worker process would start the watch itself."""
    site = stub_site(installed=False)
    [limit] = [middleware for middleware in site.broker.middleware if isinstance(middleware, TimeLimit)]
    limit.manager.interval = 0.01
    limit.after_process_boot(site.broker)
    pindb_dramatiq.install(site.broker)
    return site


def spin() -> None:
    """Run until interrupted: an interrupt arrives between two steps of Python code.

    It waits in short steps, as an interrupt that meets coverage's tracer for greenlets is lost, and a loop that does
    nothing meets it nearly always.
    """
    write()
    give_up = threading.Event()
    for _ in range(int(TIMEOUT * 100)):
        give_up.wait(0.01)
    raise TimeoutError


def test_a_time_limit_inside_the_actor_leaves_nothing(timed: Site, caplog: pytest.LogCaptureFixture) -> None:
    run(timed, spin, time_limit=500)
    assert "TimeLimitExceeded" in caplog.text


@pytest.mark.parametrize("hook", ["before", "after"])
def test_a_time_limit_inside_a_hook_leaves_nothing(hook: str, timed: Site, caplog: pytest.LogCaptureFixture) -> None:
    def spin_once(message: Any, exception: Any = None) -> None:
        if exception is None:
            spin()

    timed.broker.add_middleware(Hooks(**{hook: spin_once}))
    run(timed, time_limit=500)  # long enough for the write before it on a busy machine
    assert "TimeLimitExceeded" in caplog.text


def test_a_shutdown_inside_the_actor_leaves_nothing_and_its_retry_has_its_writes(site: Site) -> None:
    @site.actor(max_retries=1)
    def interrupted() -> None:
        site.report()
        if not pindb.is_pinned("default"):
            pindb.pin("default")
            raise_thread_exception(threading.get_ident(), Shutdown)
            spin()

    with site.working():
        interrupted.send()
        assert [site.pinned(), site.pinned()] == [[], ["default"]]


def test_an_interrupt_between_opening_and_noting_it_is_discarded_by_the_next_message(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_message = adapters.open_message

    def interrupted(value: object) -> Any:
        open_message(value)
        pindb.pin("default")
        monkeypatch.setattr(adapters, "open_message", open_message)
        raise SystemExit

    @site.actor(max_retries=0)
    def look() -> None:
        site.report()

    monkeypatch.setattr(adapters, "open_message", interrupted)
    with site.working():
        look.send()
        site.settle()
        look.send()
        assert site.next() == ("", [], [])


def test_a_message_for_no_actor_opens_nothing(site: Site) -> None:
    site.broker.add_middleware(balance := Balance())
    site.broker.declare_queue(site.queue)
    with site.working():
        site.broker.enqueue(
            dramatiq.Message(queue_name=site.queue, actor_name="nobody", args=(), kwargs={}, options={})
        )
        site.settle()
    assert balance.frames == [(None, None)]
