"""Invoices; the table is another `orders_order`, in the database "billing"."""

from __future__ import annotations

from django.db import models


class Invoice(models.Model):
    """An invoice."""

    status = models.TextField(default="sent")

    class Meta:
        app_label = "billing"
        db_table = "orders_order"
