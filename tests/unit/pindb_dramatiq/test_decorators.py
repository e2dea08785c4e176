"""`@pinned` and `@unpinned`: below and above `@dramatiq.actor`, and as its options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import AsyncIO

import pindb
import pindb_dramatiq
from pindb import PinDbConfigError
from pindb_dramatiq import pinned, unpinned
from tests.shop.models import Order
from tests.unit.pindb_dramatiq.sites import Site, stub_site


@pytest.fixture
def decorating() -> Iterator[Site]:
    site = stub_site(installed=False, more=[AsyncIO()])
    pindb_dramatiq.install(site.broker)
    with site.working():
        yield site


def below(site: Site, decorator: Any) -> Any:
    @site.actor
    @decorator("default")
    def look() -> None:
        report(site)

    return look


def above(site: Site, decorator: Any) -> Any:
    @decorator("default")
    @site.actor
    def look() -> None:
        report(site)

    return look


def below_async(site: Site, decorator: Any) -> Any:
    @site.actor
    @decorator("default")
    async def look() -> None:
        report(site)

    return look


def above_async(site: Site, decorator: Any) -> Any:
    @decorator("default")
    @site.actor
    async def look() -> None:
        report(site)

    return look


def option(site: Site, decorator: Any) -> Any:
    @site.actor(**{f"pindb_{decorator.__name__}": ["default"]})
    def look() -> None:
        report(site)

    return look


def option_of_one(site: Site, decorator: Any) -> Any:
    @site.actor(**{f"pindb_{decorator.__name__}": "default"})
    async def look() -> None:
        report(site)

    return look


def generic(site: Site, decorator: Any) -> Any:
    class Look(dramatiq.GenericActor):
        class Meta:
            broker = site.broker
            queue_name = site.queue

        def perform(self) -> None:
            report(site)

    return decorator("default")(Look)


def report(site: Site) -> None:
    site.report(pindb.GreedyPinDbRouter().db_for_read(Order) or "")


WAYS = [below, above, below_async, above_async, option, option_of_one, generic]


@pytest.mark.parametrize("decorate", WAYS)
def test_pinned_pins_then_runs(decorate: Any, decorating: Site) -> None:
    decorate(decorating, pinned).send()
    assert decorating.next() == ("default", ["default"], ["default"])


@pytest.mark.parametrize("decorate", WAYS)
def test_unpinned_reads_a_replica_whatever_the_caller_did(decorate: Any, decorating: Site) -> None:
    pindb.pin("default")
    decorate(decorating, unpinned).send()
    alias, names, _ = decorating.next()
    assert alias.startswith("default-")
    assert names == ["default"], "what it sends still carries the pin"


@pytest.mark.parametrize("decorate", [below, above, option])
def test_they_hold_for_direct_calls_too(decorate: Any, decorating: Site) -> None:
    decorate(decorating, pinned)()
    assert decorating.next()[0] == "default"
    assert pindb.get_newly_pinned() == {"default"}


@pytest.mark.parametrize("decorator", [pinned, unpinned])
def test_an_actor_stays_the_actor_that_it_was(decorator: Any, decorating: Site) -> None:
    look = below(decorating, decorator)
    assert decorator("default")(look) is look
    assert isinstance(look, dramatiq.Actor)
    assert look.fn.__name__ == "look"


@pytest.mark.parametrize("decorator", [pinned, unpinned])
def test_a_misspelt_alias_is_an_error_when_decorating(decorator: Any) -> None:
    with pytest.raises(PinDbConfigError, match="Did you mean 'default'"):
        decorator("defalut")


@pytest.mark.parametrize(
    ("aliases", "match"), [("defalut", "Did you mean"), (5, "needs aliases"), ([], "needs aliases")]
)
@pytest.mark.parametrize("name", ["pindb_pinned", "pindb_unpinned"])
def test_a_wrong_option_is_an_error_when_the_actor_is_declared(
    name: str, aliases: Any, match: str, decorating: Site
) -> None:
    with pytest.raises(PinDbConfigError, match=match) as caught:
        decorating.actor(lambda: None, actor_name="wrong", **{name: aliases})
    assert str(caught.value) == f"{caught.value.problem} {caught.value.remedy}"
    assert caught.value.remedy.startswith(("Did you mean", "Write"))
    assert "wrong" not in decorating.broker.actors
