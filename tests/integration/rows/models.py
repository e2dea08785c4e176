"""Every kind of relation that Django follows from one row to others."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Label(models.Model):
    """Sticks to anything."""

    text = models.CharField(max_length=20)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.BigIntegerField()
    target = GenericForeignKey()


class Author(models.Model):
    name = models.CharField(max_length=20)
    books_sold = models.IntegerField(default=0)
    labels = GenericRelation(Label)


class Book(models.Model):
    title = models.CharField(max_length=20)
    published = models.DateField()
    author = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name="books")
    readers = models.ManyToManyField(Author, related_name="read")
    labels = GenericRelation(Label)


class Shelf(models.Model):
    """Builds its rows without Django's `from_db`."""

    name = models.CharField(max_length=20)

    @classmethod
    def from_db(cls, db: str, field_names: Any, values: Any, **_: Any) -> Shelf:
        row = cls(**dict(zip(field_names, values, strict=True)))
        row._state.adding = False
        row._state.db = db
        return row
