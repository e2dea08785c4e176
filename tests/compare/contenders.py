"""Who is compared: each a way to set up the shop."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

COUNTDOWN: Final = 1.0
RETRIES: Final = 6


@dataclass(frozen=True, slots=True)
class Contender:
    """One of them: its title in the table, the shop's routing, and more `SHOP_*` variables."""

    title: str
    routing: str
    shop: dict[str, str] = field(default_factory=dict)


CONTENDERS: Final = {
    "master": Contender("all workers on the master", "master"),
    "plain": Contender("a plain replica router", "plain"),
    "multidb": Contender("django-multidb-router", "multidb"),
    "replicated": Contender("django_replicated", "replicated"),
    "retry": Contender("plain, retry until found", "plain", {"retries": str(RETRIES)}),
    "countdown": Contender(f"plain, countdown of {COUNTDOWN:g} s", "plain", {"countdown": str(COUNTDOWN)}),
    "timed": Contender("pindb, time mode", "pindb"),
    "position": Contender("pindb, position mode", "pindb", {"pindb": json.dumps({"PINDB_CONSISTENCY": "position"})}),
}
