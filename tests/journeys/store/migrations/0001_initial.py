"""The first and only state of the store's tables, and what a new store has in them."""

from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
from django.db import migrations, models

from tests.journeys.store.migrations import TAKEN

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
PRODUCTS = 20


def _belongs_to(model: str, **options: Any) -> models.ForeignKey[models.Model]:
    return models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to=model, **options)


def fill(apps: Any, schema_editor: Any) -> None:
    """Make the products, and an order of somebody else's."""

    def objects(model: str) -> Any:
        return apps.get_model(model).objects.using(schema_editor.connection.alias)

    numbers = range(1, PRODUCTS + 1)
    product = apps.get_model("store.product")
    objects("store.product").bulk_create(product(id=n, name=f"Product {n:02}", price=n) for n in numbers)
    objects("auth.user").create(username=TAKEN, password="!")
    customer = objects("shop.customer").create(name=TAKEN)
    order = objects("shop.order").create(customer=customer, total=1)
    objects("store.delivery").create(order=order, reference=TAKEN, street="Elsewhere")


class Migration(migrations.Migration):
    """Creates and fills all tables, in "default"."""

    initial = True
    dependencies: ClassVar = [("shop", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", KEY.clone()),
                ("name", models.CharField(max_length=50)),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
            ],
        ),
        migrations.CreateModel(
            name="Cart", fields=[("id", KEY.clone()), ("created", models.DateTimeField(auto_now_add=True))]
        ),
        migrations.CreateModel(
            name="CartLine",
            fields=[
                ("id", KEY.clone()),
                ("quantity", models.PositiveIntegerField(default=1)),
                ("cart", _belongs_to("store.cart", related_name="lines")),
                ("product", _belongs_to("store.product")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("cart", "product"), name="one_line_a_product")],
            },
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                ("id", KEY.clone()),
                ("quantity", models.PositiveIntegerField(default=1)),
                ("order", _belongs_to("shop.order", related_name="lines")),
                ("product", _belongs_to("store.product")),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", KEY.clone()),
                ("reference", models.CharField(max_length=50, unique=True)),
                ("street", models.CharField(max_length=50)),
                ("order", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to="shop.order")),
            ],
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
