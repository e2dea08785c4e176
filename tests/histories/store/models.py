"""Rows with a version that the master counts up: accounts in the DB set "default", entries in "audit"."""

from __future__ import annotations

from django.db import models


class Account(models.Model):
    """A row in "default"."""

    version = models.BigIntegerField(default=1)


class Entry(models.Model):
    """A row in "audit"."""

    version = models.BigIntegerField(default=1)


TABLES: dict[str, type[models.Model]] = {"account": Account, "entry": Entry}


def row(key: str) -> tuple[type[models.Model], int]:
    """Return the model and the primary key of a key: "account 7"."""
    table, _, pk = key.partition(" ")
    return TABLES[table], int(pk)
