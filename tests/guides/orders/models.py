"""Orders. The first one says where it was read: its status is "replica" on the standby and "master" on the master."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order of the shop."""

    status = models.TextField(default="placed")

    class Meta:
        app_label = "orders"
