"""What a run is: the mode that the store is in, and how many browsers click how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.journeys.paths import CLICKS, READER, SHOPPER


@dataclass(frozen=True, slots=True)
class Mode:
    """How the store is set up: `pindb` are PINDB_* settings, `sessions` is "db" or "cache"."""

    title: str
    pindb: dict[str, Any] = field(default_factory=dict)
    sessions: str = "db"
    routing: str = "pindb"


MODES = {
    "time": Mode("time mode"),
    "position": Mode("position mode", {"PINDB_CONSISTENCY": "position"}),
    "time-cache": Mode("time mode, sessions in a cache", sessions="cache"),
    "position-cache": Mode("position mode, sessions in a cache", {"PINDB_CONSISTENCY": "position"}, "cache"),
    "plain": Mode("a plain replica router", routing="plain"),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How many browsers there are, and how fast they are."""

    readers: int = 4
    shoppers: int = 6
    pace: float = 1.0
    """Seconds between two clicks of a browser."""
    wait: float = 0.05
    """For what G5 allows: how many seconds a read may wait for a replica."""

    @property
    def clicks(self) -> int:
        """All clicks of a run."""
        return self.readers * CLICKS[READER] + self.shoppers * CLICKS[SHOPPER]
