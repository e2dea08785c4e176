"""`manage.py pindb_status`: what it says of real servers, its exit status, and that it never ends in a traceback."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from pindb.management.commands import pindb_status
from pindb.servers import survey
from tests.integration.health.shop import cut_off, installed, stopped, timed, write
from tests.servers import PostgresCluster, wait_until


def run(*arguments: str) -> tuple[str, int]:
    """Return what the command prints, and its exit status."""
    out = io.StringIO()
    try:
        call_command("pindb_status", *arguments, stdout=out)
    except SystemExit as end:
        return out.getvalue(), int(end.code or 0)
    return out.getvalue(), 0


def run_json() -> tuple[dict[str, Any], int]:
    text, code = run("--json")
    document: dict[str, Any] = json.loads(text)
    assert document["status"] == code
    return document, code


def test_healthy_servers_say_where_they_are_and_that_they_are_read(shop: PostgresCluster) -> None:
    document, code = run_json()
    servers = document["sets"]["shop"]
    assert code == 0
    assert servers["master"]["reachable"]
    [(lsn,)] = shop.master.execute("SELECT pg_current_wal_lsn()::text")
    for replica in (servers["master"], *servers["replicas"]):
        assert replica["position"] == lsn
        assert replica["reads"]
    assert [(replica["lag_seconds"], replica["lag_bytes"]) for replica in servers["replicas"]] == [(0.0, 0)] * 2


def test_a_replica_behind_has_its_lag_in_seconds_and_bytes_and_why_it_is_not_read(shop: PostgresCluster) -> None:
    shop.standbys[1].set_lag(3600)
    write()
    with override_settings(PINDB_MAX_LAG_SECONDS=0.5):
        wait_until(lambda: run()[1] == 1, 10, "it is behind")
        document, code = run_json()
        first, second = document["sets"]["shop"]["replicas"]
        assert (code, first["reads"], second["reads"]) == (1, True, False)
        assert second["lag_seconds"] > 0.5
        assert second["lag_bytes"] > 0
        assert "s behind" in second["why"]
        text, _ = run()
        assert "no: it is" in text
        assert "shop-2  replica  yes" in text
    assert run()[1] == 0, "no limit: it is read"


def test_servers_that_hang_or_lost_their_master_are_told_and_nobody_waits_for_long(shop: PostgresCluster) -> None:
    with stopped(shop.standbys[0]):
        (text, code), seconds = timed(run)  # type: ignore[arg-type,misc]
        assert code == 1
        assert "no: no answer within 1 s" in text
        assert float(seconds) < 2
        with stopped(shop.standbys[1]):
            assert run()[1] == 2
    with stopped(shop.master):
        document, code = run_json()
        assert code == 2
        assert not document["sets"]["shop"]["master"]["reachable"]


def test_everything_down_is_told_without_a_traceback() -> None:
    with PostgresCluster(standbys=2) as cluster:
        cluster.create_database("shop")
        with installed(cluster):
            cut_off(cluster.standbys[0])
            assert "yes: it is not connected to its master" in run()[0]
            cluster.standbys[1].execute("SELECT pg_promote()")
            text, code = run()
            assert code == 1
            assert "no: it is no replica (any more)" in text
            for server in (cluster.master, *cluster.standbys):
                server.process.kill()
            text, code = run()
            assert code == 2
            assert text.count("no: OperationalError: ") == 3


def test_a_master_that_is_a_standby_is_told(shop: PostgresCluster) -> None:
    from django.db import connections

    settings = connections["shop"].settings_dict
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(settings, "PORT", shop.standbys[0].port)
        text, code = run()
    assert code == 2
    assert "no: it is a standby, not the master" in text


def test_sqlite_is_fine_and_its_files_are_not_touched() -> None:
    text, code = run()
    assert code == 0
    assert "a file: it is not asked" in text
    assert run_json()[0]["sets"]["audit"]["master"]["reachable"]


def test_a_misconfigured_project_gets_the_remedy() -> None:
    with override_settings(DATABASE_SETS={}), pytest.raises(CommandError, match="Add ") as caught:
        run()
    assert caught.value.returncode == 3
    with override_settings(MASTER_DATABASES={"ghost": {}}, DATABASE_SETS={"ghost": [{}]}):
        text, code = run()
        assert code == 2
        assert "no: ConnectionDoesNotExist: " in text


def test_a_set_without_replicas_is_no_outage_and_disabled_is_said() -> None:
    with override_settings(DATABASE_SETS={"default": [], "audit": []}, PINDB_ENABLED=False):
        text, code = run()
    assert code == 0
    assert "PINDB_ENABLED is False" in text


def test_the_table_is_aligned_whatever_the_colours() -> None:
    sets = [survey.SetStatus("x", survey.Server("x", reachable=True), (
        survey.Server("x-1", reachable=True, lag_seconds=1.234, lag_bytes=12345, position="0/30"),
        survey.Server("x-2", reachable=False, reads=False, why="gone"),
    ))]  # fmt: skip
    plain = survey.table(sets, str, str)
    coloured = survey.table(sets, lambda text: f"<{text}>", lambda text: f"!{text}!")
    assert plain.splitlines() == [
        "server  role     reachable  lag     bytes behind  position  read now",
        "x       master   yes        -       -             -         yes",
        "x-1     replica  yes        1.23 s  12,345        0/30      yes",
        "x-2     replica  no         -       -             -         no: gone",
    ]
    assert coloured.endswith("!no: gone!")
    assert coloured.replace("<", "").replace(">", "").replace("!", "") == plain


def test_watch_asks_again_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(pindb_status.time, "sleep", pause)
    text, code = run("--watch", "--json")
    assert code == 0
    assert [json.loads(line)["status"] for line in text.splitlines()] == [0, 0, 0]
    assert pauses == [2.0, 2.0, 2.0]
    with pytest.raises(CommandError, match="over 0"):
        run("--watch", "-1")
