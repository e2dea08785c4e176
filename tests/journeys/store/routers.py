"""Keeps the store's tables, and those of accounts and sessions, in "default"; hears where Django asks to write."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from tests.journeys.store.recording import note_question
from tests.shop.routers import AuditRouter


class StoreRouter:
    """A delegate router: it has no opinion on reads and writes, which go to "default" then."""

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        """Allow everything but the shop's own tables in "default" alone."""
        return None if app_label == "shop" else db == "default"


class QuestionsRouter:
    """A delegate router that has no opinion. The first one, because it is to hear of all questions where to write."""

    def db_for_write(self, model: type[Model], **_: Any) -> None:
        """Tell the recorder."""
        note_question(model._meta.db_table, AuditRouter().db_for_write(model) or "default")
