"""The first and only state of the shop's tables."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
TOTAL = models.DecimalField(decimal_places=2, max_digits=10)
STATUSES = [("new", "New"), ("paid", "Paid"), ("cancelled", "Cancelled")]


def _belongs_to(model: str, related_name: str) -> models.ForeignKey[models.Model]:
    return models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=model)


class Migration(migrations.Migration):
    """Creates all tables, each in its own database (see `routers.py`)."""

    initial = True
    operations: ClassVar = [
        migrations.CreateModel(
            name="Customer",
            fields=[("id", KEY.clone()), ("name", models.CharField(max_length=100, unique=True))],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", KEY.clone()),
                ("status", models.CharField(choices=STATUSES, default="new", max_length=20)),
                ("total", TOTAL.clone()),
                ("customer", _belongs_to("shop.customer", "orders")),
            ],
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[("id", KEY.clone()), ("total", TOTAL.clone()), ("order", _belongs_to("shop.order", "invoices"))],
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", KEY.clone()),
                ("order_id", models.BigIntegerField()),
                ("event", models.CharField(max_length=20)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
