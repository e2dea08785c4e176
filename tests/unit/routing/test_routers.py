"""Delegate routers: they choose the DB set, and decide what pindb does not."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import modify_settings, override_settings

import pindb
from pindb import PinDbConfigError
from pindb.once import Once
from pindb.routing import routers
from tests.shop.models import AuditEntry, Order
from tests.unit.routing.test_rules import REPLICAS, greedy, strict


class Delegate:
    """Answers with what the test put there."""

    read: str | None = None
    write: str | None = None
    relation: bool | None = None
    migrate: bool | None = None

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return self.read

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return self.write

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool | None:
        return self.relation

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        return self.migrate


def test_without_pindb_in_installed_apps_the_first_router_says_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routers, "_warned", Once())
    without = [app for app in settings.INSTALLED_APPS if app != "pindb"]
    with override_settings(PINDB_ENABLED=False), modify_settings(INSTALLED_APPS={"remove": "pindb"}):
        pindb.GreedyPinDbRouter()
    assert caplog.messages == []
    with override_settings(INSTALLED_APPS=["pindb.apps.PinDbAppConfig", *without]):
        pindb.GreedyPinDbRouter()
    assert caplog.messages == []
    with override_settings(INSTALLED_APPS=without):
        pindb.GreedyPinDbRouter()
        pindb.StrictPinDbRouter()
    (said,) = caplog.messages
    assert "pindb is not in INSTALLED_APPS" in said
    assert 'INSTALLED_APPS = ["pindb", ...]' in said


class NoMethods:
    """A router may lack any method."""


def test_a_delegate_that_cannot_be_imported_is_named_with_its_setting() -> None:
    says = pytest.raises(PinDbConfigError, match=r"PINDB_DELEGATE_ROUTERS has 'tests.shop.routers.Nothing'")
    with override_settings(PINDB_DELEGATE_ROUTERS=["tests.shop.routers.Nothing"]), says:
        greedy.db_for_read(Order)


@pytest.mark.parametrize(
    ("answer", "reads", "writes"),
    [
        (None, REPLICAS, "default"),
        ("default", REPLICAS, "default"),
        ("audit", {"audit-1"}, "audit"),
        ("legacy", {"legacy"}, "legacy"),
        ("default-1", REPLICAS, "default"),
    ],
)
def test_delegates_choose_the_set(answer: str | None, reads: set[str], writes: str) -> None:
    delegate = Delegate()
    delegate.read = delegate.write = answer
    with override_settings(PINDB_DELEGATE_ROUTERS=[NoMethods(), Delegate(), delegate]):
        assert greedy.db_for_read(Order) in reads
        assert greedy.db_for_write(Order) == writes
        assert greedy.db_for_read(Order) == writes
        assert pindb.get_pinned() == {writes} - {"legacy"}


def test_an_unmanaged_alias_never_needs_a_pin() -> None:
    delegate = Delegate()
    delegate.write = "legacy"
    with override_settings(PINDB_DELEGATE_ROUTERS=[delegate]):
        assert strict.db_for_write(Order) == "legacy"


def instance(db: str | None) -> Order:
    order = Order()
    order._state.db = db
    return order


@pytest.mark.parametrize("delegates", [[], [Delegate()]])
@pytest.mark.parametrize(
    ("db", "reads", "writes"),
    [
        (None, REPLICAS, "default"),
        ("default-2", REPLICAS, "default"),
        ("audit-1", {"audit-1"}, "audit"),
        ("legacy", {"legacy"}, "legacy"),
    ],
)
def test_without_an_opinion_a_row_is_read_again_and_saved_in_its_db_set(
    delegates: list[Any], db: str | None, reads: set[str], writes: str
) -> None:
    with override_settings(PINDB_DELEGATE_ROUTERS=delegates):
        assert greedy.db_for_read(Order, instance=instance(db)) in reads
        assert greedy.db_for_write(Order, instance=instance(db)) == writes
        assert greedy.db_for_read(Order, instance=instance(db)) == writes
        assert greedy.db_for_read(Order, instance=None) in {*REPLICAS, "default"}


@pytest.mark.parametrize("db", ["audit-1", "legacy"])
def test_an_instance_of_another_model_does_not_make_up_for_the_delegates_none(db: str) -> None:
    entry = AuditEntry()
    entry._state.db = db
    with override_settings(PINDB_DELEGATE_ROUTERS=[Delegate()]):
        assert greedy.db_for_read(Order, instance=entry) in REPLICAS
        assert greedy.db_for_write(Order, instance=entry) == "default"
    with override_settings(PINDB_DELEGATE_ROUTERS=[]):
        assert greedy.db_for_read(Order, instance=entry) == db, "no delegates: Django's own rule"


@pytest.mark.parametrize(
    ("first", "second", "opinion", "allowed"),
    [
        ("default", "default-2", False, True),
        ("default-1", "default-2", False, True),
        ("default", "audit", None, None),
        ("default", "audit", True, True),
        ("default", "audit", False, False),
        ("legacy", "default", None, None),
        ("legacy", "legacy", None, None),
        (None, None, None, None),
    ],
)
def test_relations_are_allowed_inside_a_set_else_the_delegates_decide(
    first: str | None, second: str | None, opinion: bool | None, allowed: bool | None
) -> None:
    delegate = Delegate()
    delegate.relation = opinion
    with override_settings(PINDB_DELEGATE_ROUTERS=[NoMethods(), delegate]):
        assert pindb.GreedyPinDbRouter().allow_relation(instance(first), instance(second)) is allowed


@pytest.mark.parametrize(
    ("db", "opinion", "allowed"),
    [
        ("default", None, None),
        ("default", False, False),
        ("default", True, True),
        ("default-1", True, False),
        ("audit-1", None, False),
        ("legacy", True, True),
    ],
)
def test_migrations_never_run_on_a_replica_else_the_delegates_decide(
    db: str, opinion: bool | None, allowed: bool | None
) -> None:
    delegate = Delegate()
    delegate.migrate = opinion
    with override_settings(PINDB_DELEGATE_ROUTERS=[NoMethods(), delegate]):
        assert pindb.GreedyPinDbRouter().allow_migrate(db, "shop", model_name="order") is allowed
