"""Makes the shop's tables: `python -m tests.shop.tables`. SQLite's stand-ins for replicas get theirs here too."""

from __future__ import annotations

import os

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections


def create_tables() -> None:
    """Make the tables that are missing, in every database that does not get them by replication."""
    for alias in (*settings.MASTER_DATABASES, "legacy"):
        call_command("migrate", database=alias, verbosity=0)
    for master, replica in _sqlite_replicas():
        if not connections[replica].introspection.table_names():
            _copy(master, replica)


def replicate() -> None:
    """Make each SQLite replica what its master is now."""
    for master, replica in _sqlite_replicas():
        _copy(master, replica)


def _sqlite_replicas() -> list[tuple[str, str]]:
    return [
        (master, f"{master}-{number}")
        for master, replicas in settings.DATABASE_SETS.items()
        for number, _ in enumerate(replicas, 1)
        if connections[f"{master}-{number}"].vendor == "sqlite"
    ]


def _copy(master: str, replica: str) -> None:
    connections[master].ensure_connection()
    connections[replica].ensure_connection()
    connections[master].connection.backup(connections[replica].connection)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.shop.settings")
    django.setup()
    create_tables()
