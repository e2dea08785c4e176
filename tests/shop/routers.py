"""The shop's own routers: where `AuditEntry` lives, and replicas as teams without pindb use them."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from django.conf import settings
from django.db.models import Model


class AuditRouter:
    """Keeps `AuditEntry` in "audit" and everything else out of it: a delegate router, it names masters."""

    def db_for_read(self, model: type[Model], **_: Any) -> str | None:
        """Return "audit", or no opinion."""
        return "audit" if model._meta.label == "shop.AuditEntry" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **_: Any) -> bool | None:
        """Allow each of the shop's tables in its own database."""
        return None if app_label != "shop" or model_name is None else (db == "audit") == (model_name == "auditentry")


class PlainReplicaRouter:
    """Writes go to the master, reads to its replicas in turn: what a team writes before it meets stale reads."""

    def __init__(self) -> None:
        self.turns: dict[str, cycle[str]] = {}
        for name, replicas in settings.DATABASE_SETS.items():
            self.turns[name] = cycle([f"{name}-{number}" for number, _ in enumerate(replicas, 1)] or [name])

    def db_for_read(self, model: type[Model], **_: Any) -> str:
        """Return the next replica."""
        return next(self.turns[self.db_for_write(model)])

    def db_for_write(self, model: type[Model], **_: Any) -> str:
        """Return the master."""
        return "audit" if model._meta.label == "shop.AuditEntry" else "default"

    def allow_relation(self, *_: Model, **__: Any) -> bool:
        """Allow what was read from a replica to be related to what is written to the master."""
        return True
