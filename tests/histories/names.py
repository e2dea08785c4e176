"""The names of segments in a history: a unit of work, "#", and the number of the segment."""

from __future__ import annotations


def segment(unit: str, number: int) -> str:
    """Return the name of a segment."""
    return f"{unit}#{number}"


def name_of(segment: str) -> str:
    """Return the unit of work of a segment."""
    return segment.partition("#")[0]
