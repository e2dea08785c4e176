"""Whether an event loop runs in this thread. Then nothing here may wait, and Django refuses queries."""

from __future__ import annotations

import asyncio


def loop_is_running() -> bool:
    """Return whether an event loop runs in this thread. It must not wait for a database."""
    return asyncio._get_running_loop() is not None
