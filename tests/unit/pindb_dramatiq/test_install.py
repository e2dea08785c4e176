"""`install`, `uninstall` and the place of the middleware: first, and it says so where it is not."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import dramatiq
import dramatiq.broker
import pytest
from django.core.checks import registry
from dramatiq import Broker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks, Retries
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend as StubResults

import pindb
import pindb_dramatiq
from pindb import PinDbConfigError, adapters
from pindb_dramatiq import PinDbMiddleware
from pindb_dramatiq.checks import check_broker
from tests.services import missing
from tests.unit.pindb_dramatiq.sites import Site, stub_site


def places(broker: Broker) -> list[int]:
    return [place for place, middleware in enumerate(broker.middleware) if isinstance(middleware, PinDbMiddleware)]


@pytest.mark.parametrize("middleware", [None, [], [Retries()], [Retries(), PinDbMiddleware(), PinDbMiddleware()]])
def test_it_is_first_and_the_only_one_whatever_is_there_already(middleware: Any) -> None:
    broker = StubBroker(middleware=middleware)
    for _ in range(2):
        pindb_dramatiq.install(broker)
        assert places(broker) == [0]
    others = len(broker.middleware) - 1
    pindb_dramatiq.uninstall(broker)
    assert places(broker) == []
    assert len(broker.middleware) == others
    pindb_dramatiq.uninstall(broker)


def test_a_worker_knows_the_probe_task_and_consumes_no_more_queues(site: Site) -> None:
    site.actor(lambda: None, actor_name="only")
    queues = set(site.broker.get_declared_queues())
    assert adapters.PROBE not in site.broker.actors
    for _ in range(2):
        with site.working():
            message: Any = dramatiq.Message(site.queue, adapters.PROBE, (), {}, {})
            pindb.pin("default")
            site.broker.enqueue(message)
            answer = message.get_result(backend=site.broker.get_results_backend(), block=True)
            assert answer["pinned"] == ["default"]
    assert set(site.broker.get_declared_queues()) == queues


class Shared:
    """A results backend and the limits of groups, for several brokers."""

    def __init__(self) -> None:
        self.results, self.limits = StubResults(), StubLimits()
        self.callbacks = GroupCallbacks(self.limits)
        self.before = dict(vars(self.results))

    def broker(self) -> Broker:
        broker = StubBroker(middleware=[self.callbacks, Results(backend=self.results)])
        pindb_dramatiq.install(broker)
        return broker

    def is_followed(self) -> bool:
        followed = vars(self.results) != self.before
        assert (self.callbacks.rate_limiter_backend is not self.limits) == followed
        return followed


def test_uninstall_leaves_other_middleware_as_it_was() -> None:
    shared = Shared()
    broker = shared.broker()
    assert shared.is_followed()
    pindb_dramatiq.uninstall(broker)
    assert not shared.is_followed()


def test_what_two_brokers_share_is_followed_until_both_have_let_go_of_it() -> None:
    shared = Shared()
    first, second = shared.broker(), shared.broker()
    pindb_dramatiq.uninstall(first)
    pindb_dramatiq.uninstall(first)
    assert shared.is_followed()
    pindb_dramatiq.uninstall(second)
    assert not shared.is_followed()


def test_a_broker_that_is_gone_lets_go_of_what_it_shared() -> None:
    shared = Shared()
    shared.broker()
    gc.collect()
    second = shared.broker()
    assert shared.is_followed()
    pindb_dramatiq.uninstall(second)
    assert not shared.is_followed()


def test_what_was_put_in_by_hand_and_has_followed_nothing_yet_can_be_taken_out() -> None:
    broker = StubBroker(middleware=[PinDbMiddleware(), Results(backend=StubResults()), GroupCallbacks(StubLimits())])
    pindb_dramatiq.uninstall(broker)
    assert places(broker) == []


def test_what_was_taken_out_can_be_put_in_again() -> None:
    broker = StubBroker(middleware=[Results(backend=StubResults())])
    pindb_dramatiq.install(broker)
    ours = broker.middleware[0]
    pindb_dramatiq.uninstall(broker)
    broker.add_middleware(ours, before=Results)
    pindb_dramatiq.install(broker)
    assert "get_result" in vars(broker.get_results_backend())


def test_what_a_groups_backend_offers_of_its_own_stays_within_reach() -> None:
    limits = StubLimits()
    callbacks = GroupCallbacks(limits)
    pindb_dramatiq.install(StubBroker(middleware=[callbacks]))
    assert callbacks.rate_limiter_backend.db is limits.db


@pytest.mark.parametrize("function", [pindb_dramatiq.install, pindb_dramatiq.uninstall])
@pytest.mark.parametrize("argument", [None, "shop", StubBroker])
def test_anything_but_a_broker_says_what_to_type(function: Any, argument: Any) -> None:
    name = function.__name__
    with pytest.raises(PinDbConfigError, match=rf"pindb_dramatiq\.{name}\(\) got .*{name}\(broker\)"):
        function(argument)


def test_a_worker_that_boots_says_what_comes_before_it_and_what_to_write(caplog: pytest.LogCaptureFixture) -> None:
    site = stub_site(installed=False)
    site.broker.add_middleware(PinDbMiddleware())
    first = type(site.broker.middleware[0]).__qualname__
    with site.working():
        pass
    assert f".{first} comes before PinDbMiddleware" in caplog.text
    assert "pindb_dramatiq.install(broker)" in caplog.text
    assert '"MIDDLEWARE": ["pindb_dramatiq.PinDbMiddleware"' in caplog.text


def test_a_worker_that_boots_says_nothing_where_it_is_first(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with site.working():
        pass
    assert "PinDbMiddleware" not in caplog.text


@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        ([PinDbMiddleware(), Retries()], []),
        ([Retries()], ["W001: PinDbMiddleware is not among"]),
        ([Retries(), PinDbMiddleware()], ["W002: dramatiq.middleware.retries.Retries comes before"]),
        (
            [Retries(), PinDbMiddleware(), PinDbMiddleware()],
            ["W002: dramatiq.middleware.retries.Retries comes before"],
        ),
        ([PinDbMiddleware(), PinDbMiddleware()], ["W002: PinDbMiddleware is 2 times among"]),
    ],
)
def test_a_system_check_says_what_is_wrong(middleware: Any, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dramatiq.broker, "global_broker", StubBroker(middleware=middleware))
    messages = [message for message in registry.run_checks() if str(message.id).startswith("pindb_dramatiq")]
    assert len(messages) == len(said)
    assert all(
        f"{message.id}: {message.msg}".startswith(f"pindb_dramatiq.{what}")
        for message, what in zip(messages, said, strict=True)
    )
    assert all("pindb_dramatiq.install(broker)" in str(message.hint) for message in messages)


SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.dramatiq import DramatiqIntegration
sentry_sdk.init(integrations=[DramatiqIntegration()])
import logging, sys
import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries
import pindb_dramatiq
from pindb_dramatiq.checks import check_broker
dramatiq.set_broker(StubBroker(middleware=[*map(eval, sys.argv[1:])]))
print(type(dramatiq.get_broker().middleware[0]).__name__, [message.id for message in check_broker()])
"""


@pytest.mark.parametrize(
    ("middleware", "said"),
    [
        (["pindb_dramatiq.PinDbMiddleware()", "Retries()"], []),
        (["Retries()", "pindb_dramatiq.PinDbMiddleware()"], ["pindb_dramatiq.W002"]),
        (["Retries()"], ["pindb_dramatiq.W001"]),
    ],
)
def test_sentrys_middleware_puts_itself_first_and_does_no_harm_there(middleware: list[str], said: list[str]) -> None:
    if find_spec("sentry_sdk") is None:
        missing("sentry-sdk is not installed.")
    command = [sys.executable, "-c", SENTRY, *middleware]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"SentryMiddleware {said}\n"


def test_the_system_check_makes_no_broker_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dramatiq.broker, "global_broker", None)
    assert check_broker() == []
    assert dramatiq.broker.global_broker is None


def test_installed_after_the_actors_it_works_for_them(site: Site) -> None:
    late = stub_site(installed=False)

    @late.actor
    def look() -> None:
        late.report()

    pindb_dramatiq.install(late.broker)
    pindb.pin("default")
    with late.working():
        look.send()
        assert late.pinned() == ["default"]


def test_added_by_hand_after_the_actors_it_follows_results_and_groups() -> None:
    site = stub_site(installed=False)
    site.actor(lambda: None, actor_name="look")
    site.broker.add_middleware(PinDbMiddleware(), before=type(site.broker.middleware[0]))
    assert "get_result" in vars(site.broker.get_results_backend())


@pytest.mark.parametrize("event", ["an actor is declared", "a message is sent", "a worker boots"])
def test_results_and_groups_added_later_are_followed_when(event: str, site: Site) -> None:
    @site.actor
    def look() -> None: ...

    callbacks = GroupCallbacks(limits := StubLimits())
    results = Results(backend=StubResults())
    site.broker.add_middleware(callbacks)
    site.broker.add_middleware(results)
    assert callbacks.rate_limiter_backend is limits
    if event == "an actor is declared":
        site.actor(lambda: None, actor_name="another")
    elif event == "a message is sent":
        look.send()
    else:
        with site.working():
            pass
    assert callbacks.rate_limiter_backend is not limits
    assert "get_result" in vars(results.backend)


def test_a_backend_that_cannot_be_followed_is_said_once_and_messages_carry_pins(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    class Rigid:
        __slots__ = ()

    site.broker.add_middleware(Results(backend=Rigid()))

    @site.actor
    def look() -> None:
        site.report()

    pindb.pin("default")
    look.send()
    with site.working():
        assert site.pinned() == ["default"]
    assert len([record for record in caplog.records if record.name == "pindb.dramatiq"]) == 1
    pindb_dramatiq.uninstall(site.broker)


def test_importing_it_reads_no_settings_and_loads_no_models() -> None:
    """A settings module may: django-dramatiq imports it while Django still loads its apps."""
    code = (
        "import pindb_dramatiq, sys; from django.conf import settings; assert not settings.configured; "
        "assert 'django.db.models' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
