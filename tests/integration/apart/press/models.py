"""Models of an ordinary app that have to do with an app whose pins are its own."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.db import models

from tests.integration.apart.journal.models import Note
from tests.shop.models import Customer


class Visit(Session):
    """Another name for the table of `Session`."""

    class Meta:
        proxy = True


class Review(Note):
    """A child of a separate model: a part of its row is in its parent's table."""

    stars = models.IntegerField()


class Article(models.Model):
    """Has a table that links it to separate rows."""

    title = models.CharField(max_length=20)
    notes = models.ManyToManyField(Note)
    readers = models.ManyToManyField(Customer)
