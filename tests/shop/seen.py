"""What a task of the shop returns; apart from the tasks, so that who reads it need not load Django."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Seen(TypedDict):
    """What a job saw: whether its row was `found`, and whether that was `current`, as its caller had written it."""

    task: str
    found: bool
    current: bool
    reads: Mapping[str, int]
    """How many SELECTs ran, by alias."""


class Outcome(Seen):
    """What the last run of a task saw, and what its queue knows of it."""

    retries: int
    seconds: float
    """From its publication to its end, by the machine's clock."""
