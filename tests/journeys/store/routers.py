"""Keeps the store's tables, and those of accounts and sessions, in "default"."""

from __future__ import annotations

from typing import Any


class StoreRouter:
    """A delegate router: it has no opinion on reads and writes, which go to "default" then."""

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        """Allow everything but the shop's own tables in "default" alone."""
        return None if app_label == "shop" else db == "default"
