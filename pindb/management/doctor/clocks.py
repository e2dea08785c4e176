"""The clocks: pins end at a time that one machine writes and another one reads."""

from __future__ import annotations

from functools import partial
from typing import Final

from django.db import connections

from pindb.config.database_sets import Config
from pindb.config.settings import Settings
from pindb.management.doctor.findings import Finding, Findings, ok, unwise, wrong
from pindb.management.doctor.servers import problems, without
from pindb.servers.probe import ClockReading, clock_of
from pindb.servers.timed_call import ask_all
from pindb.servers.vendors import FILES

NOTICEABLE: Final = 0.1
"""A clock that is wrong by this share of the pinning time is worth correcting."""

SYNCHRONIZE: Final = "Have NTP (chrony, systemd-timesyncd) set both clocks."


def clocks(config: Config, seconds: float) -> Findings:
    """Compare the clock of this machine with those of all database servers that answer within `seconds`."""
    config = without(config, problems(config))
    every = (alias for name, db_set in config.sets.items() for alias in (name, *db_set.replicas))
    aliases = [alias for alias in every if connections[alias].vendor not in FILES]
    readings = ask_all({alias: partial(clock_of, alias) for alias in aliases}, seconds)
    known = {alias: reading for alias, reading in readings.items() if isinstance(reading, ClockReading)}
    for alias, reading in known.items():
        yield compared(f"the server of {alias!r}", reading, config.settings)
    longest = config.settings.max_lag_seconds
    for name, db_set in config.sets.items():
        for alias in db_set.replicas if longest is not None and name in known else ():
            if alias in known and longest is not None:
                yield from lag_compared(name, known[name], alias, known[alias], longest)
    if not known:
        yield ok("No database server was asked for its time.")


def compared(whose: str, reading: ClockReading, settings: Settings) -> Finding:
    """Return what a clock that is so far ahead of this machine's means for pins."""
    off = max(0.0, abs(reading.ahead) - reading.error)
    text = f"The clock of {whose} is {_off(reading)} this machine's."
    if off >= settings.pinning_seconds:
        return wrong(
            f"{text} Between two machines so far apart a pin of PINDB_PINNING_SECONDS = "
            f"{settings.pinning_seconds:g} has lapsed when it arrives.",
            SYNCHRONIZE,
        )
    if off >= NOTICEABLE * settings.pinning_seconds:
        return unwise(
            f"{text} Between two machines so far apart a pin of PINDB_PINNING_SECONDS = "
            f"{settings.pinning_seconds:g} lasts {settings.pinning_seconds - off:.1f} s.",
            SYNCHRONIZE,
        )
    return ok(text)


def lag_compared(name: str, master: ClockReading, alias: str, replica: ClockReading, longest: float) -> Findings:
    """Say whether two servers' clocks are so far apart that the lag, measured by both, misleads."""
    apart = ClockReading(replica.ahead - master.ahead, replica.error + master.error)
    if abs(apart.ahead) - apart.error >= longest / 2:
        yield unwise(
            f"The clock of the server of {alias!r} is {_off(apart)} that of its master {name!r}: where the lag is "
            f"measured by both (PostgreSQL), PINDB_MAX_LAG_SECONDS = {longest:g} means something else.",
            SYNCHRONIZE,
        )


def _off(reading: ClockReading) -> str:
    how = "ahead of" if reading.ahead >= 0 else "behind"
    return f"{abs(reading.ahead):.3f} s (give or take {reading.error:.3f} s) {how}"
