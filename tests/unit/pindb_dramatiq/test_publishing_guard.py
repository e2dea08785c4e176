"""Sent inside an open transaction that has written: said so, or refused, or allowed, as the setting has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from dramatiq import Middleware

import pindb_dramatiq
from pindb import PinDbException
from pindb_dramatiq import publishing
from tests.shop.models import Customer
from tests.unit.pindb_dramatiq.sites import Site

pytestmark = pytest.mark.usefixtures("shop_tables")


@pytest.fixture(autouse=True)
def _forget_warnings() -> None:
    publishing.guard.warned.clear()


@pytest.fixture
def look(site: Site) -> Iterator[Any]:
    @site.actor
    def look() -> None:
        site.report()

    return look


def test_it_is_said_once_with_the_actor_the_place_and_the_remedy(look: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with transaction.atomic():
            Customer.objects.create(name="ada")
            look.send()
            transaction.set_rollback(True)
    [record] = [record for record in caplog.records if record.name == "pindb"]
    said = record.getMessage()
    assert "Actor 'look'" in said
    assert f"{__file__}:" in said
    assert "transaction.on_commit(lambda: look.send(...))" in said


def test_it_can_be_refused(look: Any, site: Site) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC="error"), transaction.atomic():
        Customer.objects.create(name="ada")
        with pytest.raises(PinDbException, match="PINDB_PUBLISH_IN_ATOMIC"):
            look.send()
    assert site.broker.queues[site.queue].qsize() == 0


@pytest.mark.parametrize("policy", ["warn", "error"])
def test_nothing_is_said_where_nothing_was_written_or_on_commit(
    policy: str, look: Any, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(PINDB_PUBLISH_IN_ATOMIC=policy):
        with transaction.atomic():
            look.send()
        with transaction.atomic():
            Customer.objects.create(name="ada")
            transaction.on_commit(partial(look.send))
    assert not caplog.records
    with site.working():
        assert sorted([site.pinned(), site.pinned()]) == [[], ["default"]]


@override_settings(PINDB_PUBLISH_IN_ATOMIC="allow")
def test_it_can_be_allowed(look: Any, caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        Customer.objects.create(name="ada")
        look.send()
    assert not caplog.records


class InTransaction(Middleware):
    """Runs each actor, and the hooks of the middleware after it, in a transaction."""

    def before_process_message(self, broker: Any, message: Any) -> None:
        transaction.set_autocommit(False)

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        transaction.rollback()
        connection.close()


@override_settings(PINDB_PUBLISH_IN_ATOMIC="error")
def test_a_retry_is_left_alone(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Dramatiq would drop a message whose retry fails to go out."""
    site.broker.add_middleware(InTransaction(), before=type(site.broker.middleware[0]))
    pindb_dramatiq.install(site.broker)

    @site.actor(max_retries=1)
    def charge() -> None:
        Customer.objects.create(name="ada")
        site.report()
        raise ZeroDivisionError

    charge.send()
    with site.working():
        assert [site.pinned(), site.pinned()] == [["default"], ["default"]]
        site.settle()
    assert "PINDB_PUBLISH_IN_ATOMIC" not in caplog.text
