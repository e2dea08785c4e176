"""System checks of the web side: the middleware."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.checks import Warning

from pindb.config.checks import Check, Findings

MIDDLEWARE: Final = "pindb.middleware.PinDbMiddleware"


def check_middleware(**_: Any) -> Findings:
    """W002, W003: the middleware is missing, or not the first."""
    hint = f'Write MIDDLEWARE = ["{MIDDLEWARE}", ...], ours first.'
    middleware = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in middleware:
        message = "PinDbMiddleware is not in MIDDLEWARE: a client's next request may not see what it has just written."
        return [Warning(message, hint=hint, id="pindb.W002")]
    if middleware[0] != MIDDLEWARE:
        message = f"{middleware[0]} comes before PinDbMiddleware: what it writes is not pinned for the next request."
        return [Warning(message, hint=hint, id="pindb.W003")]
    return []


CHECKS: Final[tuple[Check, ...]] = (check_middleware,)
