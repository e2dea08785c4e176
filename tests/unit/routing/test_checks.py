"""System checks of routers: what each returns decides what to do with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import ERROR
from django.test import override_settings

import pindb
from pindb.routing import checks
from pindb.routing.routers import PinDbRouter
from tests.shop.routers import AuditRouter, PlainReplicaRouter

OURS = "pindb.GreedyPinDbRouter"


def found(**changed: Any) -> list[tuple[str, str]]:
    """Return (id, "text / hint") of what the checks of routers say with these settings."""
    with override_settings(**changed):
        return [(str(said.id), f"{said.msg} / {said.hint}") for check in checks.CHECKS for said in check()]


class Returns:
    """Returns one alias for the shop's orders."""

    def __init__(self, read: Any, write: Any) -> None:
        self.read, self.write = read, write

    def db_for_read(self, model: Any, **hints: Any) -> Any:
        return self.read if model._meta.label == "shop.Order" else None

    def db_for_write(self, model: Any, **hints: Any) -> Any:
        return self.write if model._meta.label == "shop.Order" else None


class Raises:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        if model._meta.app_label == "shop":
            raise KeyError(hints["instance"])
        return "default"


class ReadsOnly:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "legacy" if model._meta.label == "shop.Order" else None


class NoOpinion:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> None:
        return None


@pytest.fixture
def old_replica(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An alias from before pindb, of the server that is "default-1" now."""
    monkeypatch.setitem(settings.DATABASES, "old", dict(settings.DATABASES["default-1"]))
    return "old"


@pytest.mark.parametrize(("before", "id_"), [(True, "pindb.W006"), (False, "pindb.W007")])
@pytest.mark.parametrize(
    ("router", "does", "not_"),
    [
        (PlainReplicaRouter, "Take it out of DATABASE_ROUTERS: it returns the replicas 'audit-1', 'default-1'", "Move"),
        ("tests.shop.routers.AuditRouter", "Move it to PINDB_DELEGATE_ROUTERS", "Take"),
        (Returns("legacy", "default"), "Take it out of DATABASE_ROUTERS: it reads shop.Order from 'legacy'", "Move"),
        (Returns("legacy", "legacy"), "Move it to PINDB_DELEGATE_ROUTERS", "Take"),
        (Raises, "raised KeyError: 'instance' when asked for shop.", "Move it to"),
    ],
)
def test_what_to_do_with_a_router_beside_ours_depends_on_what_it_returns(
    before: bool, id_: str, router: Any, does: str, not_: str
) -> None:
    routers = [router, OURS] if before else [OURS, router]
    if isinstance(router, type):
        routers = [f"{r.__module__}.{r.__qualname__}" if isinstance(r, type) else r for r in routers]
    ((found_id, text),) = found(DATABASE_ROUTERS=routers)
    assert found_id == id_
    assert does in text
    assert not_ not in text


def test_a_router_that_returns_an_old_alias_of_a_replica_is_to_be_taken_out(old_replica: str) -> None:
    ((id_, text),) = found(DATABASE_ROUTERS=[Returns(old_replica, "default"), OURS])
    assert id_ == "pindb.W006"
    assert "Take it out of DATABASE_ROUTERS: it returns the replica 'old'" in text


def test_two_routers_of_ours_are_one_too_many_and_neither_is_a_delegate() -> None:
    ((id_, text),) = found(DATABASE_ROUTERS=[OURS, "pindb.StrictPinDbRouter"])
    assert id_ == "pindb.W020"
    assert "'pindb.GreedyPinDbRouter' answers, 'pindb.StrictPinDbRouter' is never asked" in text
    assert "Take one of them out" in text
    ((id_, text),) = found(PINDB_DELEGATE_ROUTERS=["pindb.StrictPinDbRouter"])
    assert id_ == "pindb.E004"
    assert "asks itself" in text


@pytest.mark.parametrize(
    ("routers", "says"),
    [
        (["pindb.GreedyPindbRouter"], "Did you mean 'pindb.GreedyPinDbRouter'?"),
        (["pindb.routers.GreedyPinDbRouter"], "Did you mean 'pindb.GreedyPinDbRouter'?"),
        ([OURS, "nowhere.Router"], "which cannot be imported (No module named 'nowhere'). / Write the path of a class"),
        (
            OURS,
            f'is the string {OURS!r}: Django looks for a router in each of its letters. / Write DATABASE_ROUTERS = ["',
        ),
    ],
)
def test_a_router_that_cannot_be_imported_is_told_with_the_nearest_name(
    routers: Any, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DATABASE_ROUTERS", routers)  # override_settings imports them itself
    ((id_, text),) = found()
    assert id_ == "pindb.E008"
    assert says in text


def test_the_base_class_is_no_router() -> None:
    with override_settings(DATABASE_ROUTERS=["pindb.routing.routers.PinDbRouter"]):
        (said,) = (said for check in checks.CHECKS for said in check())
    assert (said.id, said.level) == ("pindb.E003", ERROR)
    assert "base class" in said.msg
    assert '"pindb.GreedyPinDbRouter" or "pindb.StrictPinDbRouter"' in str(said.hint)


def test_a_router_of_ones_own_on_top_of_ours_is_one_of_ours() -> None:
    class Mine(pindb.GreedyPinDbRouter):
        pass

    assert found(DATABASE_ROUTERS=[Mine()]) == []
    assert issubclass(Mine, PinDbRouter)


@pytest.mark.parametrize(
    ("router", "id_", "says", "hint"),
    [
        (Returns("defualt", "default"), "pindb.W015", "returns 'defualt' for shop.Order", "Did you mean 'default'?"),
        (Returns(7, 7), "pindb.W015", "returns '7' for shop.Order", "DATABASES"),
        (Returns("default-1", "default"), "pindb.W016", "the replica 'default-1' for shop.Order", 'Return "default"'),
        (Returns("legacy", "default"), "pindb.W018", "shop.Order from 'legacy' and write it to 'default'", "one alias"),
        (Returns(None, "audit"), "pindb.W018", "shop.Order from 'default' and write it to 'audit'", "one alias"),
        (Raises(), "pindb.W019", "raised KeyError: 'instance' when asked for shop.", "hints"),
    ],
)  # fmt: skip
def test_a_delegate_that_misleads_pindb_is_named_with_the_model(router: Any, id_: str, says: str, hint: str) -> None:
    ((found_id, text),) = found(PINDB_DELEGATE_ROUTERS=[AuditRouter(), router])
    assert found_id == id_
    assert says in text
    assert hint in text.partition(" / ")[2]
    assert "AuditRouter" not in text
    if id_ != "pindb.W018":
        assert f"tests.unit.routing.test_checks.{type(router).__name__}" in text


def test_an_alias_beside_pindb_of_a_server_in_a_db_set_is_told_apart(old_replica: str) -> None:
    ((id_, text),) = found(PINDB_DELEGATE_ROUTERS=[Returns(old_replica, "default")])
    assert id_ == "pindb.W017"
    assert "'old' for shop.Order" in text
    assert "the same server as 'default-1'" in text
    assert 'Return "default"' in text
    assert '"ALIAS": "old"' in text


def test_databases_in_memory_are_each_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for alias in ("default", "legacy"):
        monkeypatch.setitem(settings.DATABASES, alias, {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"})
    assert found(PINDB_DELEGATE_ROUTERS=[Returns("legacy", "legacy")]) == []


def test_many_models_and_many_replicas_are_told_in_one_breath() -> None:
    class Turns:
        turns = cycle(["default-1", "default-2"])

        def db_for_read(self, model: Any, **hints: Any) -> str:
            return next(self.turns)

    ((id_, text),) = found(PINDB_DELEGATE_ROUTERS=[Turns()])
    assert id_ == "pindb.W016"
    assert "returns the replicas 'default-1', 'default-2' for " in text
    assert " more" in text


@pytest.mark.parametrize(
    "delegates",
    [
        [],
        [AuditRouter(), NoOpinion()],
        ["tests.shop.routers.AuditRouter"],
        [Returns("audit", "audit")],
        [Returns("legacy", "legacy")],
        [ReadsOnly()],
    ],
)
def test_delegates_that_name_masters_are_told_nothing(delegates: list[Any]) -> None:
    assert found(PINDB_DELEGATE_ROUTERS=delegates) == []


def test_the_first_delegate_that_answers_counts() -> None:
    assert found(PINDB_DELEGATE_ROUTERS=[Returns("default", "default"), Returns("default-1", "default")]) == []


@pytest.mark.parametrize(
    "changed",
    [{"DATABASE_SETS": {}, "DATABASE_ROUTERS": [AuditRouter()]}, {"PINDB_DELEGATE_ROUTERS": ["shop.Nothing"]}],
)
def test_settings_that_do_not_hold_together_are_for_e001_to_tell(changed: dict[str, Any]) -> None:
    assert [id_ for id_, _ in found(**changed)] == ["pindb.W005"] * ("DATABASE_ROUTERS" in changed)
