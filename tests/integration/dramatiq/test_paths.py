"""Every path by which one message leads to another: what the first one's actor wrote arrives."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest
from dramatiq import group, pipeline

import pindb
from tests.unit.pindb_dramatiq.sites import Site


@pytest.fixture
def actors(any_site: Site) -> dict[str, Any]:
    """`look` reports, `write` pins "audit"; messages are sent from contexts that pin "default"."""
    site = any_site

    @site.actor
    def look(*_: object) -> None:
        site.report()

    @site.actor
    def write(*_: object) -> str:
        pindb.pin("audit")
        return "written"

    return {actor.actor_name: actor for actor in (look, write)}


BOTH = ["audit", "default"]


def test_an_actor_that_sends(any_site: Site, actors: Any) -> None:
    @any_site.actor
    def send() -> None:
        actors["look"].send()
        pindb.pin("audit")
        actors["look"].send_with_options(delay=1)

    pindb.pin("default")
    with any_site.working():
        send.send()
        assert sorted([any_site.pinned(), any_site.pinned()]) == [BOTH, ["default"]]


def test_a_retry_has_what_each_failed_attempt_wrote(any_site: Site) -> None:
    wrote = iter(["audit", None, None])

    @any_site.actor(max_retries=2)
    def flaky() -> None:
        any_site.report()
        name = next(wrote)
        if name:
            pindb.pin(name)
        raise ZeroDivisionError

    pindb.pin("default")
    with any_site.working():
        flaky.send()
        assert any_site.next() == ("", ["default"], [])
        assert any_site.next() == ("", BOTH, [])
        assert any_site.next() == ("", BOTH, [])


def test_a_retry_that_the_actor_asks_for(any_site: Site) -> None:
    @any_site.actor
    def again() -> None:
        any_site.report()
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            raise dramatiq.Retry(delay=1)

    with any_site.working():
        again.send()
        assert [any_site.pinned(), any_site.pinned()] == [[], ["audit"]]


def test_on_retry_exhausted(any_site: Site, actors: Any) -> None:
    @any_site.actor(max_retries=0, on_retry_exhausted="look")
    def fail() -> None:
        pindb.pin("audit")
        raise ZeroDivisionError

    pindb.pin("default")
    with any_site.working():
        fail.send()
        assert any_site.next() == ("", BOTH, [])


@pytest.mark.parametrize("given", ["to the actor", "to the message"])
def test_on_failure(given: str, any_site: Site, actors: Any) -> None:
    option = {"on_failure": "look"}

    @any_site.actor(max_retries=0, **(option if given == "to the actor" else {}))
    def fail() -> None:
        pindb.pin("audit")
        raise ZeroDivisionError

    pindb.pin("default")
    with any_site.working():
        fail.send_with_options(**(option if given == "to the message" else {}))
        assert any_site.next() == ("", BOTH, [])


def test_on_success(any_site: Site, actors: Any) -> None:
    pindb.pin("default")
    with any_site.working():
        actors["write"].send_with_options(on_success=actors["look"])
        assert any_site.next() == ("", BOTH, [])


@pytest.mark.parametrize("ignore", [False, True])
def test_a_pipelines_steps(ignore: bool, any_site: Site, actors: Any) -> None:
    @any_site.actor
    def pass_on(*results: object) -> str:
        any_site.report(f"{len(results)} results")
        return "passed"

    steps = [actors["write"].message(), *(pass_on.message_with_options(pipe_ignore=ignore) for _ in range(2))]
    pindb.pin("default")
    with any_site.working():
        pipeline(steps, broker=any_site.broker).run()
        what = "0 results" if ignore else "1 results"
        assert [any_site.next(), any_site.next()] == [(what, BOTH, [])] * 2


def test_a_pipelines_delayed_step(any_site: Site, actors: Any) -> None:
    with any_site.working():
        steps = [actors["write"].message(), actors["look"].message_with_options(delay=1)]
        pipeline(steps, broker=any_site.broker).run()
        assert any_site.next() == ("", ["audit"], [])


def test_a_pipelines_step_that_was_sent_before_brings_nothing_along(any_site: Site, actors: Any) -> None:
    with pindb.pinning_context():
        pindb.pin("default")
        sent = actors["look"].send()
    with any_site.working():
        assert any_site.pinned() == ["default"]
        pipeline([actors["write"].message(), sent], broker=any_site.broker).run()
        assert any_site.pinned() == ["audit"]


def test_a_groups_members(any_site: Site, actors: Any) -> None:
    pindb.pin("default")
    with any_site.working():
        steps = pipeline([actors["write"].message(), actors["look"].message()], broker=any_site.broker)
        group([actors["look"].message(), steps], broker=any_site.broker).run()
        assert sorted([any_site.pinned(), any_site.pinned()]) == [BOTH, ["default"]]


def test_a_message_that_its_own_actor_enqueues_again(any_site: Site) -> None:
    from dramatiq.middleware import CurrentMessage

    any_site.broker.add_middleware(CurrentMessage())

    @any_site.actor
    def again() -> None:
        any_site.report()
        if not pindb.is_pinned("audit"):
            pindb.pin("audit")
            message = CurrentMessage.get_current_message()
            assert message is not None
            any_site.broker.enqueue(message.copy())

    pindb.pin("default")
    with any_site.working():
        again.send()
        assert [any_site.pinned(), any_site.pinned()] == [["default"], BOTH]
