"""The tables."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
PARENT = {"auto_created": True, "parent_link": True, "primary_key": True, "serialize": False}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("shop", "0001_initial")]

    operations: ClassVar = [
        migrations.CreateModel(
            "Receipt",
            [
                (
                    "order_ptr",
                    models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to="shop.order", **PARENT),
                ),
                ("number", models.IntegerField()),
            ],
            bases=("shop.order",),
        ),
        migrations.CreateModel(
            "Note",
            [
                ("id", KEY),
                ("text", models.CharField(max_length=20)),
                ("customers", models.ManyToManyField(to="shop.customer")),
                ("related", models.ManyToManyField(to="journal.note")),
            ],
        ),
        migrations.AddField("Receipt", "notes", models.ManyToManyField(to="journal.note")),
        migrations.CreateModel(
            "Page",
            [("id", KEY), ("text", models.CharField(max_length=20))],
            options={"db_table": '"journal_page"'},
        ),
    ]
