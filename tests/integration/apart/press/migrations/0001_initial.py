"""The tables."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

PARENT = {"auto_created": True, "parent_link": True, "primary_key": True, "serialize": False}


class Migration(migrations.Migration):
    dependencies: ClassVar = [("journal", "0001_initial"), ("sessions", "0001_initial"), ("shop", "0001_initial")]

    operations: ClassVar = [
        migrations.CreateModel(
            "Review",
            [
                (
                    "note_ptr",
                    models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to="journal.note", **PARENT),
                ),
                ("stars", models.IntegerField()),
            ],
            bases=("journal.note",),
        ),
        migrations.CreateModel("Visit", [], options={"proxy": True}, bases=("sessions.session",)),
        migrations.CreateModel(
            "Article",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(max_length=20)),
                ("notes", models.ManyToManyField(to="journal.note")),
                ("readers", models.ManyToManyField(to="shop.customer")),
            ],
        ),
    ]
