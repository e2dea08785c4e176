"""The journeys on real standbys: nothing is stale with pindb, everything is counted, and a stale read is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.figures import Figures
from tests.journeys.plan import MODES, Plan
from tests.journeys.run import measure, prepare_store
from tests.servers import PostgresCluster, Valkey

LAG_SECONDS = 0.3
REDIRECTS_OF_A_SHOPPER = 4


@pytest.fixture(scope="module")
def store() -> Iterator[PostgresCluster]:
    with PostgresCluster(standbys=2) as started:
        prepare_store(started)
        started.set_lag(LAG_SECONDS)
        yield started


@pytest.mark.parametrize("mode", ["time", "position"])
def test_no_request_and_no_task_of_a_journey_misses_what_was_written_before(
    mode: str, store: PostgresCluster, valkey: Valkey
) -> None:
    plan = Plan(readers=1, shoppers=2, pace=0.05)
    outcome = measure(MODES[mode], store, valkey, plan)
    assert outcome.missed == []
    assert outcome.stale == 0
    units = {kind: found.units for kind, found in outcome.figures.items()}
    assert units == {"reader": 12, "shopper": plan.clicks - 12 + 2 * REDIRECTS_OF_A_SHOPPER, "task": 4}
    for found in outcome.figures.values():
        assert_counts_agree(found)


def assert_counts_agree(found: Figures) -> None:
    on_master = found.reads.whole - found.reads.part
    assert found.reads.whole > found.units
    assert found.same.whole == on_master, "every read on a master was compared"
    assert found.allowed.part <= found.reads.part
    assert found.unannounced.part == found.allowed.part, "what was announced is read on the master"
    assert sum(found.refused.values()) == found.allowed.whole - found.allowed.part


def test_with_a_plain_replica_router_the_same_journey_is_stale(store: PostgresCluster, valkey: Valkey) -> None:
    """What the test above proves is worth something only if stale reads are noticed."""
    outcome = measure(MODES["plain"], store, valkey, Plan(readers=1, shoppers=0, pace=0.05))
    assert outcome.figures["reader"].stale > len(outcome.missed) > 0
