"""The shop's models: all in the DB set "default", but `AuditEntry`, which lives in "audit" (see `routers.py`)."""

from __future__ import annotations

from django.db import models


class Customer(models.Model):
    """Who orders."""

    name = models.CharField(max_length=100, unique=True)


class Order(models.Model):
    """What views write and tasks read."""

    class Status(models.TextChoices):
        """How far an order is."""

        NEW = "new"
        PAID = "paid"
        CANCELLED = "cancelled"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")
    status = models.CharField(max_length=20, choices=Status, default=Status.NEW)
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Invoice(models.Model):
    """What a task writes; two for one order where its message was delivered twice."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="invoices")
    total = models.DecimalField(max_digits=10, decimal_places=2)


class AuditEntry(models.Model):
    """What happened to an order, in another database: no foreign key can point there."""

    order_id = models.BigIntegerField()
    event = models.CharField(max_length=20)
    at = models.DateTimeField(auto_now_add=True)
