"""GTID sets of MySQL as positions: a replica has passed a position exactly if its set includes the master's."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pindb.core.codec import POSITION
from pindb.core.pins import PinnedPosition
from pindb.servers.vendors import gtid_sets
from pindb.servers.vendors.base import has_passed
from pindb.servers.vendors.gtid_sets import Executed, as_text, fits, intervals, position_of, source_of

ONE, OTHER = "9cd71eed-e92f-11f1-8b54-02fc00000001", "3e11fa47-71ca-11e1-9e33-c80aa9429562"

Gtids = set[tuple[str, str, int]]
SETS = st.sets(st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(["", "tag_1"]), st.integers(1, 12)))


def printed(gtids: Gtids) -> str:
    """Return a set as MySQL prints it."""
    servers = []
    for uuid, of_server in groupby(sorted(gtids), key=lambda gtid: gtid[0]):
        text = uuid
        for tag, of_tag in groupby(of_server, key=lambda gtid: gtid[1]):
            text += f":{tag}" if tag else ""
            numbers = [number for _, _, number in of_tag]
            for _, run in groupby(numbers, key=lambda number: number - numbers.index(number)):
                first, *rest = run
                text += f":{first}-{rest[-1]}" if rest else f":{first}"
        servers.append(text)
    return ",\n".join(servers)


@given(SETS, SETS)
def test_a_replica_has_passed_a_position_if_and_only_if_it_has_all_transactions_of_the_master(
    master: Gtids, replica: Gtids
) -> None:
    wanted = [PinnedPosition(each.log, each.last, 0.0) for each in intervals(printed(master))]
    assert has_passed(Executed(list(intervals(printed(replica)))), wanted) is (master <= replica)


@given(SETS)
def test_what_a_position_asks_for_is_the_set_that_it_was_made_of(master: Gtids) -> None:
    sets = [as_text(PinnedPosition(log, last, 0.0)) for log, last in Executed(list(intervals(printed(master)))).items()]
    asked: Gtids = set()
    for text in sets:
        assert text is not None
        uuid, *tag, numbers = text.split(":")
        first, last = map(int, numbers.split("-"))
        asked |= {(uuid, "".join(tag), number) for number in range(first, last + 1)}
    assert asked == master


def test_a_log_of_another_vendor_is_unknown_and_one_of_mysqls_is_at_its_start() -> None:
    executed = Executed(list(intervals(f"{ONE}:1-5")))
    assert executed[source_of(OTHER)] == 0
    for log in ("pAAAAAAAAAAA.1", "m0.99", "zebra", ""):
        assert log not in executed
        assert as_text(PinnedPosition(log, 1, 0.0)) is None


def test_the_names_of_logs_can_be_carried() -> None:
    logs = list(intervals(f"{ONE}:1-5:7-9:{'t' * 20}:1-3:5"))
    assert all(POSITION.fullmatch(f"{log}:{last:x}@1") for log, last in position_of(logs).items())
    assert len(position_of(logs)) == 4


@pytest.mark.parametrize("text", [f"{ONE}:{'t' * 32}:1", f"{ONE}:1:3:5:7:9", f"{ONE}:{'t' * 22}:17-18"])
def test_a_position_that_a_message_cannot_carry_is_none(text: str) -> None:
    logs = list(intervals(text))
    assert not fits(logs)
    assert position_of(logs) == {}


def test_the_longest_name_is_that_of_the_wire_format() -> None:
    name = "g" * gtid_sets.MAX_NAME
    assert POSITION.fullmatch(f"{name}:1@1")
    assert not POSITION.fullmatch(f"{name}g:1@1")
