"""The short form of `make histories`: pindb keeps its promises on a site that is being broken."""

from __future__ import annotations

import pytest

from tests.histories.memory import measure_memory
from tests.histories.run import Plan, measure
from tests.histories.servers import servers
from tests.services import own_rabbitmq

SEED = "short"


@pytest.mark.heavy
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_no_unit_of_work_reads_less_than_those_before_it_have_written_and_read_whatever_is_killed(broker: str) -> None:
    if broker == "rabbitmq":
        own_rabbitmq()
    with servers(broker, standbys=2) as running:
        outcome = measure(Plan(SEED, 1500, broker=broker, every=3.0, pause=0.03), running)
    found = outcome.figures
    assert [str(violation) for violation in found.violations] == []
    assert found.moved == []
    assert [failure["traceback"] for failure in found.by_pindb] == []
    assert outcome.messages.unexplained == set()
    assert outcome.wrong == 0, outcome.log
    assert found.operations >= 1500
    assert 0.2 * found.reads < found.on_replicas < found.reads
    assert outcome.went_wrong


@pytest.mark.heavy
def test_with_a_plain_replica_router_the_same_site_reads_what_is_old() -> None:
    """What the test above proves is worth something only if violations are found."""
    with servers("redis", standbys=2) as running:
        found = measure(Plan(SEED, 1200, routing="plain", every=2.0, lag=2.0, pause=0.03), running).figures
    assert len(found.violations) > 10


@pytest.mark.heavy
def test_workers_keep_nothing_of_the_units_of_work_that_have_ended() -> None:
    """The short form: after so short a warm-up allocators still grow. `make histories` has the long one."""
    found = measure_memory({"pindb": Plan(SEED, 3000, pause=0.03)}, seconds=30.0)
    assert {name: each for name, each in found["pindb"].items() if each.share > 0.05} == {}
