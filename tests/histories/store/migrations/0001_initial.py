"""The two tables with versions, and their rows, in every database that has them not by replication."""

from typing import Any

from django.db import migrations, models

from tests.histories.store.migrations import ROWS


def fill(apps: Any, schema_editor: Any) -> None:
    for name in ("Account", "Entry"):
        model = apps.get_model("histories", name)
        rows = [model(pk=pk, version=1) for pk in range(1, ROWS + 1)]
        model.objects.using(schema_editor.connection.alias).bulk_create(rows)


FIELDS = [("id", models.BigAutoField(primary_key=True)), ("version", models.BigIntegerField(default=1))]


class Migration(migrations.Migration):
    initial = True
    operations = [  # noqa: RUF012 - as Django has it
        migrations.CreateModel("Account", FIELDS),
        migrations.CreateModel("Entry", FIELDS),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
