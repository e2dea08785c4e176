"""Completion callbacks of a group: they read what every member wrote, and no more than that where it can be known."""

from __future__ import annotations

import itertools
import queue
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import override_settings
from dramatiq import group, pipeline
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import Barrier, ConcurrentRateLimiter, RateLimiterBackend
from dramatiq.rate_limits.backends import StubBackend

import pindb
import pindb_dramatiq
from pindb import propagation
from pindb.core.frames import current_frame
from pindb_dramatiq.groups import MemberPins
from tests.servers import Valkey
from tests.unit.pindb_dramatiq.groups import EVERYTHING, Groups
from tests.unit.pindb_dramatiq.sites import Site


@pytest.fixture(params=["stub", "redis", "memcached"])
def limits(request: pytest.FixtureRequest) -> Any:
    """The rate limiter backends that ship with Dramatiq."""
    if request.param == "redis":
        from dramatiq.rate_limits.backends import RedisBackend

        return RedisBackend(url=request.getfixturevalue("valkey").url(2))
    if request.param == "memcached":
        address = request.getfixturevalue("memcached")
        from dramatiq.rate_limits.backends import MemcachedBackend

        return MemcachedBackend(servers=[address], binary=True, behaviors={})
    return StubBackend()


@pytest.fixture
def groups(site: Site, limits: RateLimiterBackend) -> Iterator[Groups]:
    made = Groups(site, limits)
    with site.working(threads=2):
        yield made


@pytest.fixture
def stub_groups(site: Site) -> Iterator[Groups]:
    made = Groups(site, StubBackend())
    with site.working(threads=2):
        yield made


CASES = [
    ((None, None), []),
    (("default", None), ["default"]),
    ((None, "audit"), ["audit"]),
    (("default", "audit"), EVERYTHING),
    (("audit", None, None, "default", None), EVERYTHING),
]


@pytest.mark.parametrize(("names", "pinned"), CASES)
def test_a_callback_has_what_every_member_wrote_and_nothing_else(names: Any, pinned: list[str], groups: Groups) -> None:
    groups.run(groups.members(*names))
    assert groups.site.next() == ("", pinned, []), "carried pins"


@override_settings(PINDB_REPLICA_SHARE=0.5)
def test_a_callback_may_read_replicas_if_the_caller_of_the_group_may(stub_groups: Groups) -> None:
    draws: queue.Queue[int] = queue.Queue()

    @stub_groups.site.actor
    def draw(*_: object) -> None:
        draws.put(current_frame().unit.draw)

    made = group(stub_groups.members("default", None), broker=stub_groups.broker)
    made.add_completion_callback(draw.message())
    with pindb.pinning_context():
        made.run()
        assert draws.get(timeout=10) == current_frame().unit.draw


@pytest.mark.parametrize("order", [*itertools.permutations(["default", "audit", None])])
def test_whichever_member_is_the_last(order: Any, site: Site) -> None:
    groups = Groups(site, StubBackend())
    groups.run(groups.members(*order))
    with site.working(threads=1):
        assert groups.pinned() == EVERYTHING


def test_every_callback_of_a_group_has_them(stub_groups: Groups) -> None:
    stub_groups.run(stub_groups.members("default", "audit"), callbacks=2)
    assert [stub_groups.pinned(), stub_groups.pinned()] == [EVERYTHING] * 2


def test_a_group_that_is_run_again_starts_anew(stub_groups: Groups) -> None:
    made = group(stub_groups.members(None, None), broker=stub_groups.broker)
    made.add_completion_callback(stub_groups.look.message())
    pindb.pin("default")
    made.run()
    assert stub_groups.pinned() == ["default"]
    with pindb.pinning_context():
        made.run()
        assert stub_groups.pinned() == []


def test_what_the_caller_wrote_reaches_the_callback(stub_groups: Groups) -> None:
    pindb.pin("audit")
    stub_groups.run(stub_groups.members(None, None))
    assert stub_groups.pinned() == ["audit"]


def test_what_an_earlier_step_of_a_pipeline_in_it_wrote_reaches_the_callback(stub_groups: Groups) -> None:
    steps = pipeline([stub_groups.pin.message("audit"), stub_groups.pin.message()], broker=stub_groups.broker)
    stub_groups.run([steps, *stub_groups.members(None, "default")])
    assert stub_groups.pinned() == EVERYTHING


def test_what_a_failed_attempt_of_a_member_wrote_reaches_the_callback(stub_groups: Groups) -> None:
    @stub_groups.site.actor(max_retries=1)
    def flaky() -> None:
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            raise ZeroDivisionError

    stub_groups.run([flaky.message(), *stub_groups.members(None)])
    assert stub_groups.pinned() == ["audit"]


def test_the_last_member_itself_hands_on_what_it_wrote_and_no_more(site: Site) -> None:
    groups = Groups(site, StubBackend())
    groups.run([groups.pin.message("audit"), groups.pin.message_with_options(on_success=groups.look)])
    with site.working(threads=1):
        assert sorted([site.pinned(), site.pinned()]) == [[], ["audit"]]


def test_a_callback_that_came_from_the_wire_keeps_its_own_pins_as_well(stub_groups: Groups) -> None:
    with pindb.pinning_context():
        pindb.pin("audit")
        came = propagation.outgoing()
    made = group(stub_groups.members("default"), broker=stub_groups.broker)
    made.add_completion_callback(stub_groups.look.message_with_options(**{propagation.KEY: came}))
    made.run()
    assert stub_groups.pinned() == EVERYTHING


def test_a_member_may_use_the_same_backend_for_limits_of_its_own(stub_groups: Groups) -> None:
    backend = stub_groups.callbacks.rate_limiter_backend

    @stub_groups.site.actor
    def limited() -> None:
        with ConcurrentRateLimiter(backend, "mine", limit=5).acquire():
            pindb.pin("audit")
        key = str(uuid.uuid4())
        assert Barrier(backend.backend, key).create(1)
        assert Barrier(backend, key).wait(block=False)

    stub_groups.run([limited.message(), limited.message()])
    assert stub_groups.pinned() == ["audit"]


def test_callbacks_middleware_added_late_is_followed_too(site: Site) -> None:
    [callbacks] = [each for each in site.broker.middleware if isinstance(each, GroupCallbacks)]
    site.broker.middleware.remove(callbacks)
    groups_site = site

    @site.actor
    def pin(name: str) -> None:
        pindb.pin(name)

    @site.actor
    def look() -> None:
        groups_site.report()

    site.broker.add_middleware(GroupCallbacks(StubBackend()))
    made = group([pin.message("audit"), pin.message("audit")], broker=site.broker)
    made.add_completion_callback(look.message())
    made.run()
    with site.working():
        # Nobody saw how many members there are, since no actor was declared, nor a message sent, in between.
        assert site.pinned() == EVERYTHING
        made.run()
        assert site.pinned() == ["audit"]


def test_other_limits_on_the_same_backend_work_as_before(limits: Any) -> None:
    backend = MemberPins(limits)
    barrier = Barrier(backend, str(uuid.uuid4()), ttl=10_000)
    assert barrier.create(2)
    assert [barrier.wait(block=False), barrier.wait(block=False)] == [False, True]
    mutex = ConcurrentRateLimiter(backend, str(uuid.uuid4()), limit=1)
    with mutex.acquire(), mutex.acquire(raise_on_failure=False) as acquired:
        assert not acquired
    # Another one: that of Memcached counts an attempt that has failed, too.
    with ConcurrentRateLimiter(backend, str(uuid.uuid4()), limit=1).acquire() as acquired:
        assert acquired
    assert backend.incr_and_sum(str(uuid.uuid4()), lambda: [str(uuid.uuid4())], 1, 5, 10_000)


def test_a_barrier_on_the_same_backend_can_be_waited_for(valkey: Valkey) -> None:
    from dramatiq.rate_limits.backends import RedisBackend

    barrier = Barrier(MemberPins(RedisBackend(url=valkey.url(2))), str(uuid.uuid4()))
    assert barrier.create(2)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(barrier.wait, timeout=20_000)
        assert barrier.wait(timeout=20_000)
        assert waiting.result()


def test_a_broker_without_groups_is_left_alone() -> None:
    broker = StubBroker(middleware=[])
    pindb_dramatiq.install(broker)
    assert len(broker.middleware) == 1


@pytest.mark.parametrize("names", [("default.shop", None), (None, "default.shop")])
@override_settings(PINDB_SEPARATE_PINS=["shop.Customer"])
def test_tables_with_pins_of_their_own_are_pinned_whichever_member_has_written_them(
    names: tuple[str | None, ...], site: Site
) -> None:
    groups, seen = Groups(site, StubBackend()), []

    @site.actor
    def look_at_parts() -> None:
        seen.append((pindb.is_pinned("default.shop"), pindb.is_pinned("default")))
        site.report()

    made = group(groups.members(*names), broker=groups.broker)
    made.add_completion_callback(look_at_parts.message())
    with site.working(threads=1):
        made.run()
        site.next()
    assert seen == [(True, False)]
