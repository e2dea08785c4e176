"""The servers of ``tests.servers`` do what the other tests rely on, and nothing of them is ever left behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pindb.testing.servers.binaries import copy_postgres, postgres_bin
from tests.servers import (
    PostgresCluster,
    wait_until,
)
from tests.servers.victim import Victim

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=2) as running:
        running.create_database("shop")
        running.master.execute("CREATE TABLE stock (item text)", database="shop")
        yield running


@pytest.fixture(autouse=True)
def immediate_replay(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cluster" in request.fixturenames:
        running: PostgresCluster = request.getfixturevalue("cluster")
        for standby in running.standbys:
            standby.resume_replay()
        running.set_lag(0)


def insert(cluster: PostgresCluster, item: str) -> None:
    cluster.master.execute("INSERT INTO stock VALUES (%s)", [item], database="shop")


def seen_by(cluster: PostgresCluster, item: str) -> list[bool]:
    question = "SELECT EXISTS (SELECT FROM stock WHERE item = %s)"
    return [standby.execute(question, [item], database="shop") == [(True,)] for standby in cluster.standbys]


def test_every_standby_streams_when_the_block_begins() -> None:
    with PostgresCluster(standbys=2) as cluster:
        states = cluster.master.execute("SELECT application_name, state FROM pg_stat_replication ORDER BY 1")
        recovering = [s.execute("SELECT pg_is_in_recovery()") for s in (cluster.master, *cluster.standbys)]
    assert states == [("standby1", "streaming"), ("standby2", "streaming")]
    assert recovering == [[(False,)], [(True,)], [(True,)]]


def test_a_cluster_may_have_no_standby() -> None:
    with PostgresCluster(standbys=0) as cluster:
        cluster.wait_until_replayed()
        assert cluster.standbys == []


def test_settings_are_an_entry_of_djangos_databases(cluster: PostgresCluster) -> None:
    assert cluster.standbys[0].settings("shop") == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": "127.0.0.1",
        "PORT": cluster.standbys[0].port,
    }


def test_a_row_written_on_the_master_reaches_every_standby(cluster: PostgresCluster) -> None:
    insert(cluster, "reaches")
    cluster.wait_until_replayed()
    assert seen_by(cluster, "reaches") == [True, True]


def test_a_lagging_standby_lacks_a_row_until_it_is_replayed(cluster: PostgresCluster) -> None:
    cluster.set_lag(2.0)
    insert(cluster, "lags")
    assert seen_by(cluster, "lags") == [False, False]
    cluster.wait_until_replayed()
    assert seen_by(cluster, "lags") == [True, True]


def test_one_standby_may_lag_while_the_other_does_not(cluster: PostgresCluster) -> None:
    cluster.standbys[0].set_lag(60.0)
    insert(cluster, "half")
    wait_until(lambda: seen_by(cluster, "half")[1], timeout=10, what="the second standby has the row")
    assert seen_by(cluster, "half") == [False, True]


def test_lowering_the_lag_ends_a_wait_under_way(cluster: PostgresCluster) -> None:
    cluster.set_lag(600.0)
    insert(cluster, "lowered")
    cluster.set_lag(0.02)
    cluster.wait_until_replayed(timeout=10)
    assert seen_by(cluster, "lowered") == [True, True]


def test_a_paused_standby_applies_nothing_until_it_is_resumed(cluster: PostgresCluster) -> None:
    cluster.standbys[0].pause_replay()
    insert(cluster, "paused")
    wait_until(lambda: seen_by(cluster, "paused")[1], timeout=10, what="the other standby has the row")
    assert seen_by(cluster, "paused") == [False, True]
    cluster.standbys[0].resume_replay()
    cluster.wait_until_replayed()
    assert seen_by(cluster, "paused") == [True, True]


def test_waiting_in_vain_for_replay_raises_with_the_positions(cluster: PostgresCluster) -> None:
    cluster.standbys[0].pause_replay()
    insert(cluster, "in vain")
    with pytest.raises(TimeoutError, match=r"standby1: received 0/\w+, replayed 0/\w+, lag 0, paused"):
        cluster.wait_until_replayed(timeout=0.2)


def test_a_standby_refuses_writes(cluster: PostgresCluster) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        cluster.standbys[0].execute("INSERT INTO stock VALUES ('refused')", database="shop")


def test_a_rebuilt_standby_has_all_that_the_master_has_and_follows_it_with_its_lag(cluster: PostgresCluster) -> None:
    rebuilt, other = cluster.standbys
    cluster.set_lag(600.0)
    insert(cluster, "before")
    cluster.rebuild(rebuilt)
    assert seen_by(cluster, "before") == [True, False]
    rebuilt.set_lag(0)
    insert(cluster, "after")
    wait_until(lambda: seen_by(cluster, "after")[0], timeout=10, what="the rebuilt standby has the row")
    assert rebuilt.execute("SELECT pg_is_in_recovery()") == other.execute("SELECT pg_is_in_recovery()")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL under another account")
def test_root_can_use_programs_that_only_root_can_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("PINDB_TEST_PG_BIN", str(copy_postgres(postgres_bin(), tmp_path / "copy")))
    with PostgresCluster(standbys=1) as cluster:
        assert cluster.master.execute("SELECT 1") == [(1,)]


def test_a_missing_program_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PINDB_TEST_PG_BIN", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"PINDB_TEST_PG_BIN is .* does not contain initdb"):
        PostgresCluster().__enter__()


@pytest.fixture
def victim(request: pytest.FixtureRequest) -> Iterator[Victim]:
    then = request.param if hasattr(request, "param") else "signal.pause()"
    process = Victim(then)
    try:
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_when_a_signal_ends_the_tests(victim: Victim, number: signal.Signals) -> None:
    victim.wait_until_started()
    started = victim.descendants()
    # The keepers and what they keep: master, standby, Valkey and the helper; and the two directories' keepers.
    assert len(started) > 1 + 2 * 4 + 2
    victim.send(number)
    victim.assert_leaves_nothing_of(started)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("moment", ["master", "standby1"])
def test_nothing_is_left_when_a_signal_ends_the_tests_in_the_middle_of_a_start(
    victim: Victim, moment: str, number: signal.Signals
) -> None:
    wait_until(lambda: any(victim.scratch.glob(f"*/{moment}")), timeout=30, what=f"{moment} exists")
    started = victim.descendants()
    victim.send(number)
    victim.assert_leaves_nothing_of(started)


@pytest.mark.parametrize(
    "victim",
    ["pass", "raise RuntimeError", "os._exit(1)"],
    indirect=True,
)
def test_nothing_is_left_however_the_block_ends(victim: Victim) -> None:
    victim.wait_until_started()
    victim.assert_leaves_nothing_of(victim.descendants())


@pytest.mark.parametrize(
    "victim", ["os.fork() or (signal.alarm(60), signal.pause()); os.kill(os.getpid(), signal.SIGKILL)"], indirect=True
)
def test_nothing_is_left_although_a_forked_process_lives_on(victim: Victim) -> None:
    victim.wait_until_started()
    victim.assert_leaves_nothing_of(set())
    # The proof that the forked process did live on: it still holds its share of the victim's session.
    os.killpg(victim.process.pid, 0)
