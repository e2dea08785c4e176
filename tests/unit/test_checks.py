"""System checks: each with its stable id and a hint that says what to type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import checks as django_checks
from django.core import mail
from django.db import connections
from django.test import override_settings

import pindb
from pindb import checks
from pindb.exceptions import did_you_mean
from pindb.middleware import PinDbMiddleware

COMMON = "django.middleware.common.CommonMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
ENGINES = "django.contrib.sessions.backends"
FILES = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/nowhere"}
USER_PINS = {"PINDB_USER_PINS": "cache:files", "CACHES": {"files": FILES}}
OURS = "pindb.middleware.PinDbMiddleware"


STILL_THERE = {"pindb.I001", "pindb.W030"}
"""What a DB set gets whose replicas a test has taken out of `DATABASE_SETS` only: they are still in `DATABASES`."""


class Ours(PinDbMiddleware):
    """A project's own."""


class Unbuilt:
    def __init__(self) -> None:
        raise RuntimeError("not yet")


class Misconfigured:
    def __init__(self) -> None:
        raise pindb.PinDbConfigError("Not today. Nor tomorrow")


@pytest.fixture(autouse=True)
def _no_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process load them."""
    monkeypatch.setattr("pindb.adapters.checks._is_enabled", lambda: False)


def found(**changed: Any) -> list[tuple[str, str]]:
    """Return (id, "message / hint") of what our checks say with these settings."""
    with override_settings(**changed):
        return [
            (str(message.id), f"{message.msg} / {message.hint}")
            for check in (*checks.ALL, *checks.DEPLOY)
            for message in check()
        ]


def test_manage_py_check_runs_them_all() -> None:
    assert set(checks.ALL) <= set(django_checks.registry.registry.get_checks())
    with override_settings(PINDB_PINING_SECONDS=15):
        assert "pindb.W001" in [message.id for message in django_checks.run_checks()]


def test_a_sound_configuration_gets_no_message() -> None:
    assert found() == []
    assert found(MIDDLEWARE=["pindb.web.middleware.PinDbMiddleware"]) == []
    assert found(MIDDLEWARE=["tests.unit.test_checks.Ours"]) == []
    assert found(MIDDLEWARE=[OURS, "shop.middleware.Nothing"]) == [], "Django says so"


def test_a_backend_may_have_settings_of_its_own() -> None:
    masters = {**settings.MASTER_DATABASES, "audit": {**settings.MASTER_DATABASES["audit"], "SCHEMA": "a"}}
    assert found(MASTER_DATABASES=masters, DATABASE_SETS={"default": [{}, {}], "audit": [{"SCHEMA": "b"}]}) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"MIDDLEWARE": [OURS]},
        {"SESSION_ENGINE": f"{ENGINES}.signed_cookies"},
        {"SESSION_ENGINE": f"{ENGINES}.cache"},
        {"SESSION_ENGINE": "shop.nothing"},
        {"PINDB_ENABLED": False},
        {"DATABASE_SETS": {"default": [], "audit": []}, "SILENCED": True},
    ],
)
def test_sessions_that_cost_nothing_are_told_nothing(changed: dict[str, Any]) -> None:
    with_sessions = {"MIDDLEWARE": [OURS, SESSIONS], "SESSION_SAVE_EVERY_REQUEST": True, **changed}
    assert [id_ for id_, _ in found(**with_sessions) if id_ not in STILL_THERE] == []


def test_sets_without_replicas_are_told_before_a_deployment_and_not_at_each_start() -> None:
    with override_settings(DATABASE_SETS={"default": [{}, {}], "audit": []}):
        assert "pindb.I001" not in [message.id for message in django_checks.run_checks()]
        assert "pindb.I001" in [message.id for message in django_checks.run_checks(include_deployment_checks=True)]


RUNNER = """
import pindb
from django.conf import settings
MASTERS = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "master"}}
SETS = {"default": [{"NAME": "replica"}]}
settings.configure(
    MASTER_DATABASES=MASTERS, DATABASE_SETS=SETS, DATABASES=pindb.populate_replicas(MASTERS, SETS), SECRET_KEY="tests",
    DATABASE_ROUTERS=["pindb.GreedyPinDbRouter"], INSTALLED_APPS=["pindb"],
    MIDDLEWARE=["pindb.middleware.PinDbMiddleware"],
)
import django
django.setup()
from django.test.runner import DiscoverRunner
runner = DiscoverRunner(verbosity=1)
runner.setup_test_environment()
runner.setup_databases(aliases={"default", "default-1"})
runner.run_checks({"default", "default-1"})
"""


def test_djangos_test_runner_whose_replicas_are_mirrors_is_told_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUNNER], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "System check identified no issues" in done.stdout, done.stdout + done.stderr


def test_a_replica_whose_entry_changes_nothing_is_its_master(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mail, "outbox", raising=False)  # of a TestCase that ran before
    replica, master = (connections[alias].settings_dict for alias in ("audit-1", "audit"))
    monkeypatch.setitem(replica, "NAME", master["NAME"])
    ((id_, text),) = found()
    assert id_ == "pindb.W013"
    assert "'audit-1' is its master 'audit' itself: its entry in DATABASE_SETS changes nothing" in text
    assert found(DEBUG=True) == [], "in development one server is both"
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    assert found() == [], "Django's test runner makes mirrors of replicas"


@override_settings(PINDB_CONSISTENCY="position")
def test_servers_are_asked_only_where_a_database_is_named() -> None:
    """Django 5.2 and 6.0 pass None where none is."""
    for check in checks.ASKING:
        assert check(databases=None) == []


def test_every_check_documents_its_ids() -> None:
    for check in (*checks.ALL, *checks.DEPLOY, *checks.ASKING):
        assert check.__doc__
        assert check.__doc__.split(":")[0].split(",")[0][0] in "EWI"


@pytest.mark.parametrize(
    ("changed", "id_", "says"),
    [
        ({"DATABASE_SETS": {"default": []}}, "pindb.E001", '"audit": [] to DATABASE_SETS'),
        ({"PINDB_PINNING_SECONDS": -1}, "pindb.E001", "Write a number of seconds"),
        ({"PINDB_DELEGATE_ROUTERS": ["shop.routers.Nothing"]}, "pindb.E001", "Write the path of a class"),
        ({"PINDB_DELEGATE_ROUTERS": ["tests.unit.test_checks.Unbuilt"]}, "pindb.E001", "RuntimeError: not yet"),
        (
            {"DATABASE_SETS": {"default": [{}, {}, {}], "audit": [{}]}},
            "pindb.E002",
            "lacks 'default-3'",
        ),
        ({"PINDB_PINING_SECONDS": 15}, "pindb.W001", "Did you mean 'PINDB_PINNING_SECONDS'?"),
        ({"DATABASE_ROUTER_DELEGATE": "no.R"}, "pindb.E001", "DATABASE_ROUTER_DELEGATE has 'no.R', which cannot"),
        ({"PINDB": {"PINNING_SECONDS": 15}}, "pindb.W001", "nothing of it is read. / Write each setting by itself"),
        ({"MIDDLEWARE": []}, "pindb.W002", f'MIDDLEWARE = ["{OURS}", ...]'),
        (
            {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware", OURS]},
            "pindb.W003",
            "CommonMiddleware comes before PinDbMiddleware",
        ),
        ({"DATABASE_ROUTERS": []}, "pindb.W005", 'DATABASE_ROUTERS = ["pindb.GreedyPinDbRouter"]'),
        (
            {"DATABASE_ROUTERS": ["tests.shop.routers.PlainReplicaRouter", "pindb.StrictPinDbRouter"]},
            "pindb.W006",
            "Take it out of DATABASE_ROUTERS: it returns the replicas",
        ),
        (
            {"DATABASE_ROUTERS": ["pindb.GreedyPinDbRouter", "tests.shop.routers.AuditRouter"]},
            "pindb.W007",
            "never asks 'tests.shop.routers.AuditRouter'",
        ),
        ({"PINDB_MAX_LAG_SECONDS": 2}, "pindb.I002", "Write PINDB_HEALTH_SECONDS = 2,"),
        ({"DATABASE_SETS": {"default": [{}, {}], "audit": []}}, "pindb.I001", "The DB set 'audit' has no replicas"),
        ({"DATABASE_SETS": {"default": [], "audit": []}}, "pindb.I001", "DB sets 'default', 'audit' have no replicas"),
        (
            {"DATABASE_SETS": {"default": [{"NAME": "r"}, {"Host": "r"}], "audit": [{}]}},
            "pindb.W012",
            "[\"default\"][1] has the key 'Host', which is not a setting of a database. / Did you mean 'HOST'?",
        ),
        ({"DATABASE_SETS": {"default": [{}, {}], "audit": [{"alias": "a"}]}}, "pindb.W012", "Did you mean 'ALIAS'?"),
        ({"DATABASE_SETS": {"default": [{}, {"WEIGHT": 2}], "audit": [{}]}}, "pindb.W012", "has the key 'WEIGHT'"),
        ({"PINDB_MASTER_ONLY": ["shop", "silk", "Shop.Ordr"]}, "pindb.W025", "'Shop.Ordr', which is neither"),
        ({"PINDB_USER_PINS": "cache:dfault"}, "pindb.E006", "Did you mean 'default'?"),
        ({"PINDB_USER_PINS": "cache:default"}, "pindb.W027", "no other process sees"),
        ({**USER_PINS, "PINDB_USER_PINS_KEY": "shop.no"}, "pindb.E009", "is 'shop.no', which cannot be imported"),
        ({"PINDB_USER_PINS": "default"}, "pindb.E001", 'Write a cache, e.g. "cache:default"'),
        ({"PINDB_TOKEN_HEADER": "X Token"}, "pindb.E001", 'e.g. "X-Pindb-Token"'),
        ({"PINDB_SWITCH": "cache:dfault"}, "pindb.E005", "CACHES has no 'dfault'"),
        ({"PINDB_SWITCH": "tests.shop.flags.missing"}, "pindb.E005", "cannot be imported"),
        ({"PINDB_SWITCH": "cache:default"}, "pindb.W026", "no other process sees"),
        ({"PINDB_REPORT": "cache:dfault"}, "pindb.E007", "CACHES has no 'dfault'"),
        ({"PINDB_REPORT": "/no/such/directory"}, "pindb.E007", "is no directory. / Write the path of a directory that"),
        ({"PINDB_REPORT": "cache:default"}, "pindb.W028", "LocMemCache) that cannot add up"),
        ({"PINDB_REPORT": True}, "pindb.E001", "Write the path of a directory"),
        ({"PINDB_SWITCH": "default"}, "pindb.E001", "PINDB_SWITCH is 'default'"),
        ({"PINDB_MODE": "shadw"}, "pindb.E001", "Did you mean 'shadow'"),
        ({"PINDB_REPLICA_SHARE": 25}, "pindb.E001", "Write a share from 0 to 1"),
        ({"PINDB_SEPARATE_PINS": [*pindb.SEPARATE_PINS, "shopp"]}, "pindb.W025", "Did you mean 'shop'?"),
        ({"MIDDLEWARE": [OURS, COMMON, OURS]}, "pindb.W022", "2 times in MIDDLEWARE"),
        ({"MIDDLEWARE": [OURS, "pindb.web.middleware.PinDbMiddleware"]}, "pindb.W022", "Leave the first one only"),
        ({"MIDDLEWARE": [COMMON, "tests.unit.test_checks.Ours"]}, "pindb.W003", "CommonMiddleware comes before"),
        ({"MIDDLEWARE": [OURS, SESSIONS], "SESSION_SAVE_EVERY_REQUEST": True}, "pindb.W021", "an UPDATE and a cookie"),
        (
            {
                "MIDDLEWARE": [OURS, SESSIONS],
                "SESSION_SAVE_EVERY_REQUEST": True,
                "SESSION_ENGINE": f"{ENGINES}.cached_db",
            },
            "pindb.W021",
            "keep sessions in a cache",
        ),
        ({"PINDB_MONOTONIC_READS": True}, "pindb.W011", 'Write PINDB_CONSISTENCY = "position"'),
    ],
)  # fmt: skip
def test_a_mistake_gets_its_id_and_the_remedy(changed: dict[str, Any], id_: str, says: str) -> None:
    messages = [(given, text) for given, text in found(**changed) if given not in STILL_THERE - {id_}]
    assert [id_] == [message_id for message_id, _ in messages]
    assert says in messages[0][1]


def says_off() -> str:
    return "off"


@pytest.mark.parametrize("switch", [says_off, f"{__name__}.says_off"])
def test_a_switch_that_is_a_function_is_fine(switch: Any) -> None:
    assert found(PINDB_SWITCH=switch) == found()


def test_atomic_requests_keep_all_reads_on_the_master(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    ((id_, text),) = found()
    assert id_ == "pindb.W004"
    assert "PINDB_READS_IN_ATOMIC" in text
    assert found(PINDB_READS_IN_ATOMIC="replica") == []


def test_a_limit_for_a_lag_that_nobody_can_tell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connections["default-1"]), "vendor", "oracle")
    messages = found(PINDB_MAX_LAG_SECONDS=10)
    assert [id_ for id_, _ in messages] == ["pindb.W010"] * 3
    assert "The lag of 'default-1' cannot be told" in messages[0][1]


def test_a_router_without_an_opinion_on_queries_may_come_first() -> None:
    class OnlyMigrations:
        def allow_migrate(self, db: str, app_label: str, **hints: Any) -> None:
            return None

    assert found(DATABASE_ROUTERS=[OnlyMigrations(), "pindb.GreedyPinDbRouter"]) == []


@override_settings(PINDB_CONSISTENCY="position")
def test_sqlite_cannot_run_in_position_mode_and_each_set_is_told_so() -> None:
    messages = checks.check_consistency()
    assert [message.id for message in messages] == ["pindb.I003"] * 2
    assert [message.msg for message in checks.check_positions(["default"])] == [messages[0].msg]
    assert "'default' runs in time mode, not in position mode: SQLite does not tell" in messages[0].msg
    assert "PINDB_PINNING_SECONDS = 15" in str(messages[0].hint)


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("PINDB_MODE", "on. Or off", "PINDB_MODE is 'on. Or off'.", "Write one of 'on', 'shadow', 'off'."),
        ("PINDB_SWITCH", "cache:my. flags", "PINDB_SWITCH is 'cache:my. flags', but CACHES has no 'my. flags'.", None),
    ],
)
def test_a_value_with_a_full_stop_stays_whole(name: str, value: str, message: str, hint: str | None) -> None:
    with override_settings(**{name: value}):
        (error,) = [each for check in checks.ALL for each in check() if (each.id or "").startswith("pindb.E")]
    assert error.msg == message
    assert error.hint == (hint or did_you_mean("my. flags", settings.CACHES))


def test_a_problem_without_a_remedy_has_no_hint() -> None:
    with override_settings(PINDB_DELEGATE_ROUTERS=["tests.unit.test_checks.Misconfigured"]):
        (error,) = checks.ALL[0]()
    assert (error.id, error.msg, error.hint) == ("pindb.E001", "Not today. Nor tomorrow", None)


def test_without_the_required_settings_one_error_says_so_and_no_check_fails() -> None:
    assert [id_ for id_, _ in found(MASTER_DATABASES=None, DATABASE_ROUTERS=[])] == ["pindb.E001", "pindb.W005"]
