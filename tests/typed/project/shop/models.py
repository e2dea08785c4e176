"""One model."""

from django.db import models


class Order(models.Model):
    """An order."""

    total = models.DecimalField(max_digits=9, decimal_places=2)
    is_confirmed = models.BooleanField(default=False)
