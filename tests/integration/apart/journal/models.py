"""Models whose pins are their own."""

from __future__ import annotations

from django.db import models

from tests.shop.models import Customer, Order


class Note(models.Model):
    """Has tables that link it to rows of its own app, and of an ordinary one."""

    text = models.CharField(max_length=20)
    related = models.ManyToManyField("self")
    customers = models.ManyToManyField(Customer)


class Receipt(Order):
    """A child of an ordinary model."""

    number = models.IntegerField()
    notes = models.ManyToManyField(Note)


class Page(models.Model):
    """Its table's name is quoted already."""

    text = models.CharField(max_length=20)

    class Meta:
        db_table = '"journal_page"'
