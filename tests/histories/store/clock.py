"""Makes this process's clock wrong, for all that ask `time.time`: pindb, Django's signatures, kombu, Dramatiq."""

from __future__ import annotations

import time


def make_wrong(seconds: float) -> None:
    """Have it be ahead by so much, or behind. `time.monotonic`, which times what is recorded, stays right."""
    right = time.time
    time.time = lambda: right() + seconds
