"""System checks: `manage.py check` reports a misplaced `PinDbMiddleware` of the global broker."""

from __future__ import annotations

from typing import Any

import dramatiq.broker
from django.core.checks import CheckMessage, Warning, register

from pindb_dramatiq.middleware import PinDbMiddleware, misplaced


def check_broker(**_: Any) -> list[CheckMessage]:
    """W001: the global broker's list has no `PinDbMiddleware`. W002: it is not the first, or not the only one."""
    # Not get_broker(): without a global broker it would create one.
    broker = dramatiq.broker.global_broker
    problem = misplaced(broker) if broker is not None else None
    if broker is None or problem is None:
        return []
    message, hint = problem
    listed = any(isinstance(middleware, PinDbMiddleware) for middleware in broker.middleware)
    return [Warning(message, hint=hint, id=f"pindb_dramatiq.W00{2 if listed else 1}")]


def register_checks() -> None:
    """Register the checks; twice is once."""
    register(check_broker)
