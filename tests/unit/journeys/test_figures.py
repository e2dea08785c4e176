"""What the records of the journeys add up to, counted by hand."""

from __future__ import annotations

from typing import Any

from tests.journeys.figures import Share, allowed_reads, figures
from tests.journeys.records import SESSIONS, Read, Unit
from tests.journeys.replay import ReplayTimeline


def read(place: str = "default", alias: str = "default-1", at: float = 10.0, **facts: Any) -> Read:
    values = {"in_transaction": False, "after_write": False} | facts
    return Read(at=at, table=f"{place}_table", place=place, alias=alias, on_replica="-" in alias, **values)


def unit(*reads: Read, **needs: int) -> Unit:
    return Unit("reader", "GET /", needs, reads=list(reads))


def timeline(*samples: tuple[float, int]) -> ReplayTimeline:
    made = ReplayTimeline([])
    made.samples = [([at for at, _ in samples], [position for _, position in samples])]
    return made


UP_TO_5 = timeline((1.0, 2), (10.04, 5))


def test_a_timeline_knows_when_a_standby_had_replayed_what() -> None:
    assert UP_TO_5.had_replayed(5, 10.05)
    assert not UP_TO_5.had_replayed(5, 10.03)
    assert UP_TO_5.had_replayed(1, 1.0)
    assert not UP_TO_5.had_replayed(6, 99)


def test_reads_in_transactions_and_after_a_write_are_not_allowed_on_replicas() -> None:
    first, last = read(), read()
    units = unit(first, read(in_transaction=True), last, read(after_write=True))
    assert list(allowed_reads(units, UP_TO_5, 0)) == [first, last]


def test_the_first_read_decides_within_the_wait_whether_a_replica_has_what_the_unit_of_work_needs() -> None:
    late = unit(read(at=10.0), read(at=11.0), default=5)
    assert len(list(allowed_reads(late, UP_TO_5, 0.05))) == 2
    assert list(allowed_reads(late, UP_TO_5, 0.03)) == []
    decided_later = unit(read(at=10.0, in_transaction=True), read(at=11.0), default=5)
    assert len(list(allowed_reads(decided_later, UP_TO_5, 0))) == 1


def test_sessions_need_only_what_was_written_to_sessions() -> None:
    units = unit(read(), read(SESSIONS), **{SESSIONS: 99})
    assert [one.place for one in allowed_reads(units, UP_TO_5, 0)] == ["default"]


def test_the_sums() -> None:
    units = [
        unit(
            read(), read(alias="default", same=True, after_question=True), read(SESSIONS, alias="default", same=False)
        ),
        unit(read(alias="default", in_transaction=True, same=True), read(stale=True)),
    ]
    units[0].missed.append("an order")
    units[0].started_after, units[1].started_after = 0.1, 0.3
    sums = figures(units, UP_TO_5, 0.05, missed=1)
    assert sums.units == 2
    assert sums.reads == Share(2, 5)
    assert sums.but_sessions == Share(2, 4)
    assert sums.allowed == Share(2, 4)
    assert sums.unannounced == Share(2, 3)
    assert sums.same == Share(2, 3)
    assert sums.refused == {
        "GET /: default_table, after Django has asked where to write": 1,
        "GET /: sessions_table": 1,
    }
    assert sums.started_after == 0.2
    assert sums.stale == 3


def test_a_share_of_nothing_is_none() -> None:
    assert (str(Share(0, 0)), Share(0, 0).percent) == ("-", None)
    assert (str(Share(1, 3)), Share(1, 3).percent) == ("33.3 %", 33.3)
