"""`Kind`: how a simulated site keeps pins, and what its servers are like."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from tests.model.scenario import Scenario


class Kind(NamedTuple):
    """How a site keeps pins, and what its servers are like."""

    positions: bool
    monotonic: bool = False
    bounded_lag: bool = True
    """Whether no replica lags more than the pinning time, as timed pins need."""

    def __str__(self) -> str:
        words = ["log positions" if self.positions else "timed pins"]
        words += ["monotonic reads"] * self.monotonic + ["lag without bounds"] * (not self.bounded_lag)
        return ", ".join(words)

    def settings(self, replicas: int, *, audit: bool) -> dict[str, Any]:
        """Return the settings of pindb, with the DB set "audit" or without."""
        world = Scenario("", (), replicas=replicas, positions=self.positions, monotonic=self.monotonic, audit=audit)
        return world.settings


KINDS: Final = (
    Kind(positions=False),
    Kind(positions=True),
    Kind(positions=True, bounded_lag=False),
    Kind(positions=True, monotonic=True),
    Kind(positions=True, monotonic=True, bounded_lag=False),
)
