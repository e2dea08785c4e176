"""The router of the web processes."""

from __future__ import annotations

from typing import Any


class ReplicaRouter:
    """Reads the replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """Return the replica."""
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """Return the master."""
        return "default"
