"""What another replica router has left behind is named, with what to write instead; an old alias with its DB set."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from pindb import leftovers

OURS = "pindb.middleware.PinDbMiddleware"
GUIDE = Path(__file__).parents[2] / "docs/guides/replicated.md"
CALL = re.compile(r'pindb\.\w+\("default"\)')


def found(**changed: Any) -> list[tuple[str, str]]:
    """Return (id, "message / hint") of what these checks say with these settings."""
    with override_settings(**changed):
        return [(str(said.id), f"{said.msg} / {said.hint}") for check in leftovers.CHECKS for said in check()]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a project."""
    module = ModuleType("their_views")
    monkeypatch.setitem(sys.modules, "their_views", module)
    return module


@pytest.fixture
def old_alias(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An alias "replica1" beside the DB sets, of another server than theirs: returns its entry."""
    entry = {**settings.DATABASES["default"], "HOST": "elsewhere", "TEST": {}}
    monkeypatch.setitem(settings.DATABASES, "replica1", entry)
    return entry


def test_a_project_without_leftovers_is_told_nothing() -> None:
    assert found() == []


def test_settings_of_multidb_are_named_with_what_to_write() -> None:
    ((id_, text),) = found(MULTIDB_PINNING_SECONDS=30, REPLICA_DATABASES=["a"], MULTIDB_CACHE="x")
    assert id_ == "pindb.W029"
    assert "MULTIDB_CACHE, MULTIDB_PINNING_SECONDS, REPLICA_DATABASES are settings of django-multidb-router" in text
    assert "MULTIDB_PINNING_SECONDS: PINDB_PINNING_SECONDS; REPLICA_DATABASES: DATABASE_SETS = " in text
    ((id_, text),) = found(SLAVE_DATABASES=["a"])
    assert text.startswith("SLAVE_DATABASES is a setting of django-multidb-router: pindb does not read it.")


def test_settings_of_django_replicated_are_named_with_what_to_write() -> None:
    ((id_, text),) = found(REPLICATED_FORCE_MASTER_COOKIE_MAX_AGE=5)
    assert id_ == "pindb.W029"
    assert "is a setting of django_replicated" in text
    assert "REPLICATED_FORCE_MASTER_COOKIE_MAX_AGE: PINDB_PINNING_SECONDS" in text
    ((_, text),) = found(REPLICATED_VIEWS_OVERRIDES={})
    assert text.endswith("Take it out.")


@pytest.mark.parametrize(
    "path", ["multidb.middleware.PinningRouterMiddleware", "django_replicated.middleware.ReplicationMiddleware"]
)
def test_middleware_that_pins_nothing_any_more_is_named(path: str) -> None:
    ((id_, text),) = found(MIDDLEWARE=[OURS, path])
    assert id_ == "pindb.W029"
    assert f"MIDDLEWARE has {path!r}, which pins nothing in pindb. / Take it out" in text


def test_a_name_that_does_nothing_any_more_is_told_where_it_is_used(module: ModuleType) -> None:
    from multidb.pinning import db_write, use_primary_db

    module.to_the_master, module.db_write, module.other = use_primary_db, db_write, lambda: None  # type: ignore[attr-defined]
    ((id_, text),) = found()
    assert id_ == "pindb.W029"
    assert text.startswith(
        "their_views uses db_write, use_primary_db of django-multidb-router: without its router they"
    )
    assert 'db_write: nothing: the write pins; use_primary_db: pindb.master("default"), or' in text


def test_a_decorator_of_django_replicated_is_told_where_it_is_used(module: ModuleType) -> None:
    with override_settings(REPLICATED_CACHE_BACKEND=None):  # which it wants when it is imported
        from django_replicated.decorators import use_slave

    module.use_slave = use_slave  # type: ignore[attr-defined]
    ((id_, text),) = found()
    assert id_ == "pindb.W029"
    assert "their_views uses use_slave of django_replicated: without its router it does nothing." in text
    assert 'use_slave: nothing on a view that only reads, or pindb.unpinned_replica("default") where old data' in text


@pytest.mark.parametrize("name", ["use_master", "use_slave", "use_state", "routers"])
def test_the_check_says_to_write_what_the_guide_says(name: str) -> None:
    _multidb, replicated = leftovers.OTHERS
    (said,) = (names[name] for names in replicated.names.values() if name in names)
    rows = re.findall(rf"^\|([^|]*\b{name}\b[^|]*)\|([^|]*)\|$", GUIDE.read_text(), re.MULTILINE)
    assert set(CALL.findall(said)) == {call for _theirs, ours in rows for call in CALL.findall(ours)} != set()
    assert ("nothing" in said) == any(ours.startswith(" nothing") for _theirs, ours in rows)


def test_code_is_found_that_nothing_but_the_urlconf_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_urls.py").write_text("from multidb.pinning import use_primary_db\nurlpatterns = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        ((id_, text),) = found(ROOT_URLCONF="their_urls")
    finally:
        sys.modules.pop("their_urls", None)
    assert id_ == "pindb.W029"
    assert text.startswith("their_urls uses use_primary_db of django-multidb-router")


@pytest.mark.parametrize(
    ("changed", "listed", "why"),
    [
        ({"TEST": {"MIRROR": "default"}}, {}, "TEST MIRROR is 'default'"),
        ({"TEST": {"MIRROR": "audit-1"}}, {}, "TEST MIRROR is 'audit-1'"),
        ({"HOST": ""}, {}, "by its name, and its NAME is the master's"),
        ({}, {"REPLICATED_DATABASE_SLAVES": ["replica1"]}, "REPLICATED_DATABASE_SLAVES names it"),
    ],
)
def test_an_old_alias_of_a_replica_is_told(old_alias: Any, changed: Any, listed: Any, why: str) -> None:
    old_alias.update(changed)
    texts = [text for id_, text in found(**listed) if id_ == "pindb.W030"]
    master = "audit" if "audit" in why else "default"
    assert len(texts) == 1
    assert f"'replica1' in DATABASES looks like a replica of {master!r} ({why})" in texts[0]
    assert f'Write "ALIAS": "replica1" into its entry in DATABASE_SETS["{master}"]' in texts[0]


def test_an_alias_of_the_server_of_a_replica_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES, "reports", {**settings.DATABASES["audit-1"], "TEST": {}})
    ((id_, text),) = found()
    assert id_ == "pindb.W030"
    assert "'reports' in DATABASES looks like a replica of 'audit' (a replica of this DB set has its HOST" in text


@pytest.mark.parametrize("name", ["warehouse", "ready", "romeo"])
def test_another_database_with_the_same_name_is_told_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(settings.DATABASES, name, {**settings.DATABASES["default"], "HOST": "elsewhere", "TEST": {}})
    assert found() == []


def test_a_replica_of_another_database_is_told_nothing(old_alias: dict[str, Any]) -> None:
    old_alias["NAME"] = "warehouse"
    assert found() == []


def test_memory_is_shared_by_nobody(old_alias: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    old_alias["NAME"] = ":memory:"
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", ":memory:")
    assert found() == []


def test_settings_that_do_not_hold_together_are_told_once_by_another_check() -> None:
    assert found(DATABASE_SETS={"default": []}, REPLICA_DATABASES=["a"]) == []
