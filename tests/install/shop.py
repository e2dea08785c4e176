"""The Django settings of these programs: a DB set with a replica, that no query is ever sent to."""

from __future__ import annotations

import django
from django.conf import settings

import pindb

MASTERS = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SETS: dict[str, list[dict[str, object]]] = {"default": [{"NAME": ":memory:"}]}


def set_up() -> None:
    settings.configure(
        MASTER_DATABASES=MASTERS,
        DATABASE_SETS=SETS,
        DATABASES=pindb.populate_replicas(MASTERS, SETS),
        DATABASE_ROUTERS=["pindb.GreedyPinDbRouter"],
        INSTALLED_APPS=["pindb"],
    )
    django.setup()
