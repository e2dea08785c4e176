"""What users and stored messages rely on: these names do not change, whatever becomes of the modules behind them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

import pindb
from pindb import adapters, catching_up, checks, propagation
from pindb.config.settings import NAMES, Settings
from pindb.web import cookie

PUBLIC = {
    "pindb": """GreedyPinDbRouter PinDbConfigError PinDbException StrictPinDbRouter UnpinnedWriteException
        catching_up get_newly_pinned get_pinned get_replica is_pinned master pin pinned pinning_context
        populate_replicas propagation unpin_all unpinned_replica with_masters with_replicas
        MASTER_ONLY SEPARATE_PINS Decision Reason explain""",
    "pindb.propagation": """KEY NOTHING_PINNED EagerWork MessageWork PublishGuard Work everything interrupted_by
        open_eager open_lost open_message open_repeated outcome outgoing take""",
    "pindb.adapters": """KEY NOTHING_PINNED NO_HEADER NULL_HEADER EagerWork MessageWork Patch PublishGuard Work
        everything interrupted_by is_wrapped open_eager open_lost open_message open_repeated open_safely outcome
        outgoing pins_in take unwrap wrap SINCE CaughtUp Requeue""",
    "pindb_celery": "caught_up install pinned uninstall unpinned",
    "pindb_dramatiq": "PinDbMiddleware caught_up install pinned uninstall unpinned",
    "pindb.middleware": "PinDbMiddleware",
    "pindb.testing": """Guarantee Lag LagMixin Operation RecordedDecisions Recorder StaleReadError Violation
        check_history load_history""",
    "pindb.testing.servers": "PostgreSQL postgresql_for_django postgresql_with_standby",
}

CONTRIB = """django_q.PinDbDjangoQ django_rq.Queue django_tasks.ImmediateBackend django_tasks.PinDbBackend
    django_tasks_db.DatabaseBackend django_tasks_rq.Job huey.install huey.uninstall rq.Job rq.Queue"""

SETTINGS = """CONSISTENCY DELEGATE_ROUTERS ENABLED HEALTH_SECONDS MAX_LAG_SECONDS MISSING_HEADER MONOTONIC_READS
    PINNING_COOKIE PINNING_COOKIE_DOMAIN PINNING_COOKIE_HTTPONLY PINNING_COOKIE_PATH PINNING_COOKIE_SAMESITE
    PINNING_COOKIE_SECURE PINNING_SECONDS POSITION_SECONDS PUBLISH_IN_ATOMIC READS_IN_ATOMIC REPLICA_RETRY_SECONDS"""

CHECK_IDS = "E001 E002 W001 W002 W003 W004 W005 W006 W007 W010 W011 I001 I002 I003"


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_name_stays(module: str) -> None:
    assert set(PUBLIC[module].split()) <= set(importlib.import_module(module).__all__)


@pytest.mark.parametrize("path", CONTRIB.split())
def test_a_path_in_a_projects_settings_or_command_lines_stays(path: str) -> None:
    """Not imported: some import a queue that wants its app."""
    module, _, name = path.rpartition(".")
    text = (Path(str(pindb.__file__)).parent / "contrib" / f"{module}.py").read_text()
    assert re.search(rf"^(class|def) {name}\b", text, re.MULTILINE)


def test_the_kits_version_stays_while_its_names_do() -> None:
    assert adapters.VERSION == 1


def test_a_setting_stays() -> None:
    assert {f"PINDB_{name}" for name in SETTINGS.split()} <= NAMES


def test_header_option_and_cookie_stay_so_that_a_rolling_deploy_reads_them() -> None:
    assert (propagation.KEY, catching_up.SINCE) == ("pindb", "pindb_since")
    assert propagation.NOTHING_PINNED == "1"
    assert Settings().pinning_cookie == "pindb_pinned_set"
    assert cookie.SALT == "pindb.middleware"


def test_a_check_id_and_a_command_stay() -> None:
    documented = " ".join(check.__doc__ or "" for check in (*checks.ALL, *checks.DEPLOY, *checks.ASKING))
    assert [id_ for id_ in CHECK_IDS.split() if id_ not in documented] == []
    commands = ("pindb_status", "pindb_explain", "pindb_report", "pindb_switch", "pindb_doctor")
    assert {get_commands()[command] for command in commands} == {"pindb"}
