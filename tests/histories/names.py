"""Names in what a run records: of messages, and of segments: a unit of work, "#", and the number of the segment."""

from __future__ import annotations

CLOCKS_APART = 10.0
"""By how many seconds the clocks of two processes of the site differ at most."""


def segment(unit: str, number: int) -> str:
    """Return the name of a segment."""
    return f"{unit}#{number}"


def name_of(segment: str) -> str:
    """Return the unit of work of a segment."""
    return segment.partition("#")[0]


def message(queue: str, number: str, retries: int) -> str:
    """Return the name of a message."""
    return f"{queue}:{number}:{retries}"
