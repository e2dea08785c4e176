"""Notices a client that gets many new cookies for one and the same Cookie header: its requests overlap, by dozens."""

from __future__ import annotations

import time
from typing import Final

from django.http import HttpRequest

OFTEN: Final = 4
OFTEN_WITHOUT_COOKIES: Final = 20
"""Clients without cookies that share an address and a browser count as one: behind a proxy that may be many."""

SECONDS: Final = 15.0
CACHE_SIZE: Final = 1000

_answered: Final[dict[tuple[object, ...], tuple[float, int]]] = {}
"""When this process first set a new cookie for such a client, and how often since. Each step is one operation on it."""

IDENTITY: Final = ("HTTP_COOKIE", "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_USER_AGENT")


def has_answered_often(request: HttpRequest) -> bool:
    """Count a new cookie; return whether this process has set several within seconds for the same client and header.

    If so, the client gets timed pins instead of log positions: more reads on masters, for `PINDB_PINNING_SECONDS`.
    """
    client = tuple(request.META.get(key) for key in IDENTITY)
    now = time.monotonic()
    first, count = _answered.get(client, (now, 0))
    if now - first > SECONDS:
        first, count = now, 0
    if len(_answered) >= CACHE_SIZE:
        _answered.clear()
    _answered[client] = (first, count + 1)
    return count >= (OFTEN if client[0] else OFTEN_WITHOUT_COOKIES)
