"""A standby that was killed and started again shows older data: what was known of it counts no more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pindb.servers import position_cache as module
from tests.servers import PostgresCluster

from .goods import (
    asking,
    databases,
    in_thread,
    learn_health,
    move_floors,
    positions_in,
    prepare,
    publish,
    read_from,
    received,
    settings,
    written,
)


@pytest.fixture
def own() -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=2) as cluster:
        prepare(cluster)
        move_floors(cluster)  # they come back with the table, and without what is written after it
        with databases(*map(settings, (cluster.master, *cluster.standbys))):
            yield cluster


def test_a_standby_that_was_killed_and_started_again_is_asked_anew(
    own: PostgresCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRUST_SECONDS", 1000.0)
    learn_health()
    message = written("row")
    own.wait_until_replayed()
    for _ in own.standbys:
        with received(message):
            assert read_from("row")[0] != "goods"
    with received(message), asking() as asked:
        assert read_from("row")[0] != "goods"
        handed_on = publish()
    assert asked == [], "it is known"
    assert positions_in(handed_on) == positions_in(message)
    for standby in own.standbys:
        # In force from the restart on: from the last consistent state, it applies nothing for an hour.
        standby.execute("ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
        own.restart(standby)
        assert standby.execute("SELECT count(*) FROM shop_customer", database="goods") == [(0,)], "older than before"

    def read() -> tuple[str, bool]:
        learn_health()
        with received(handed_on):
            return read_from("row")

    for _ in range(2):
        assert in_thread(read) == ("goods", True)
        assert read() == ("goods", True)
