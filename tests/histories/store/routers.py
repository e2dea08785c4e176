"""Keeps entries in "audit": a delegate router, and the whole of it for the plain replica router."""

from __future__ import annotations

from typing import Any

from django.db.models import Model


class EntryRouter:
    """Names the master of entries. Both tables are made in both databases, so that no migration needs a rule."""

    def db_for_read(self, model: type[Model], **_: Any) -> str | None:
        """Return "audit", or no opinion."""
        return "audit" if model._meta.label == "histories.Entry" else None

    db_for_write = db_for_read
