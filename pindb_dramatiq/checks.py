"""System checks: what `manage.py check` says of the global broker's middleware."""

from __future__ import annotations

from typing import Any

import dramatiq.broker
from django.core.checks import CheckMessage, Warning, register

from pindb_dramatiq.middleware import PinDbMiddleware, misplaced


def check_broker(**_: Any) -> list[CheckMessage]:
    """W001, W002: `PinDbMiddleware` is missing from the global broker's list, or is not the first, or not the only."""
    # Not get_broker(): it would make one where there is none.
    broker = dramatiq.broker.global_broker
    complaint = misplaced(broker) if broker is not None else None
    if broker is None or complaint is None:
        return []
    message, hint = complaint
    there = any(isinstance(middleware, PinDbMiddleware) for middleware in broker.middleware)
    return [Warning(message, hint=hint, id=f"pindb_dramatiq.W00{2 if there else 1}")]


def register_checks() -> None:
    """Register the checks; twice is once."""
    register(check_broker)
