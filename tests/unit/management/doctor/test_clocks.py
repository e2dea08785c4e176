"""How far a clock may be off."""

from __future__ import annotations

import pytest

from pindb.config.settings import Settings
from pindb.management.doctor import clocks
from pindb.management.doctor.findings import Verdict
from pindb.servers.probe import ClockReading


@pytest.mark.parametrize(
    ("ahead", "error", "verdict"),
    [
        (0.0, 0.001, Verdict.OK),
        (1.4, 0.0, Verdict.OK),
        (1.6, 0.0, Verdict.UNWISE),
        (-1.6, 0.0, Verdict.UNWISE),
        (1.6, 0.2, Verdict.OK),
        (14.9, 0.0, Verdict.UNWISE),
        (15.0, 0.0, Verdict.WRONG),
        (-3600.0, 0.5, Verdict.WRONG),
    ],
)
def test_a_clock_is_judged_by_the_pinning_time(ahead: float, error: float, verdict: Verdict) -> None:
    finding = clocks.compared("the server of 'default'", ClockReading(ahead, error), Settings(pinning_seconds=15))
    assert finding.verdict is verdict
    assert f"{abs(ahead):.3f} s (give or take {error:.3f} s) {'behind' if ahead < 0 else 'ahead of'}" in finding.text


def test_two_servers_clocks_are_judged_by_the_lag_that_they_measure() -> None:
    def judged(master: float, replica: float) -> int:
        readings = ClockReading(master, 0.01), ClockReading(replica, 0.01)
        return len(list(clocks.lag_compared("x", readings[0], "x-1", readings[1], 10.0)))

    assert (judged(0, 4.9), judged(-2, 3.1), judged(5.1, 0)) == (0, 1, 1)


def test_a_reading_lies_between_the_two_looks_at_this_machines_clock() -> None:
    assert ClockReading.between(100.0, 107.0, 102.0) == (6.0, 1.0)
