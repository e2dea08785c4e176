"""What the store adds to the shop's customers, orders and invoices."""

from __future__ import annotations

from django.db import models

from tests.shop.models import Order


class Product(models.Model):
    """What is sold."""

    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=10, decimal_places=2)


class Cart(models.Model):
    """What a session's visitor is about to order; the session has its id."""

    created = models.DateTimeField(auto_now_add=True)


class CartLine(models.Model):
    """A product in a cart."""

    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["cart", "product"], name="one_line_a_product"),)


class OrderLine(models.Model):
    """A product in an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    quantity = models.PositiveIntegerField(default=1)

    @property
    def total(self) -> object:
        """What it costs."""
        return self.product.price * self.quantity


class Delivery(models.Model):
    """Where an order goes; its customer's reference must be new."""

    order = models.OneToOneField(Order, on_delete=models.CASCADE)
    reference = models.CharField(max_length=50, unique=True)
    street = models.CharField(max_length=50)
