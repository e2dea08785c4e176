"""The DB set "library": where it lies, and what runs there."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.test import override_settings

import pindb
from tests.integration.rows.models import Author, Book, Label, Shelf
from tests.servers import PostgresCluster

ALIASES = ("library", "library-1", "library-2")
REPLICAS = {"library-1", "library-2"}


class ToLibrary:
    """A delegate."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "library"

    db_for_write = db_for_read


class Files:
    """SQLite: each replica is a copy, made when a test says so."""

    def __init__(self, directory: Path) -> None:
        self.databases = [
            {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / f"{alias}.sqlite3")} for alias in ALIASES
        ]

    def replicate(self) -> None:
        for connection in map(connections.__getitem__, ALIASES):
            connection.ensure_connection()
        for replica in ALIASES[1:]:
            connections["library"].connection.backup(connections[replica].connection)

    def hold(self) -> None:
        pass


class Standbys:
    """PostgreSQL: standbys, whose replay a test can stop."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self.cluster = cluster
        self.databases = [server.settings("library") for server in (cluster.master, *cluster.standbys)]

    def replicate(self) -> None:
        for standby in self.cluster.standbys:
            standby.resume_replay()
        self.cluster.wait_until_replayed()

    def hold(self) -> None:
        for standby in self.cluster.standbys:
            standby.pause_replay()


Servers = Files | Standbys


@contextmanager
def installed(servers: Servers, **options: Any) -> Iterator[None]:
    """Run with these servers as the DB set of all models."""
    masters, sets = {"library": servers.databases[0]}, {"library": servers.databases[1:]}
    aliases = pindb.populate_replicas(masters, sets, unmanaged_default=True)
    connections.settings.update(connections.configure_settings({"default": DEFAULT, **aliases}))
    try:
        with override_settings(
            MASTER_DATABASES=masters,
            DATABASE_SETS=sets,
            PINDB_DELEGATE_ROUTERS=[ToLibrary()],
            DATABASE_ROUTERS=["pindb.GreedyPinDbRouter"],
            **options,
        ):
            yield
    finally:
        for alias in ALIASES:
            if hasattr(connections._connections, alias):  # type: ignore[attr-defined]
                connections[alias].close()
                del connections[alias]
            connections.settings.pop(alias, None)


DEFAULT = settings.DATABASES["default"]
MODELS = (Author, Book, Label, Shelf)


def create_tables() -> None:
    with pindb.pinning_context(), pindb.master("library"):
        with connections["library"].schema_editor() as editor:
            for model in (ContentType, *MODELS):
                editor.create_model(model)
        for model in MODELS:
            ContentType.objects.get_for_model(model)


def stock() -> None:
    """Put in the rows that each test finds: one author with two books, of three labels."""
    with pindb.pinning_context(), pindb.master("library"):
        for model in reversed(MODELS):
            model._default_manager.all().delete()
        ada = Author.objects.create(name="Ada", books_sold=1)
        for day in (1, 2):
            book = Book.objects.create(title=f"Notes {day}", published=datetime.date(2024, 1, day), author=ada)
            book.readers.add(ada)
            book.labels.create(text="old")
        ada.labels.create(text="old")
        Shelf.objects.create(name="left")


@contextmanager
def statements() -> Iterator[list[tuple[str, str]]]:
    """Collect what runs on the DB set: where, and what."""
    seen: list[tuple[str, str]] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        seen.append((context["connection"].alias, str(sql)))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in ALIASES:
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield seen


def places(seen: list[tuple[str, str]]) -> set[str]:
    return {alias for alias, _ in seen}
