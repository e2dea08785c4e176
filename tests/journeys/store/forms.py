"""The store's forms: both ask the database whether something is taken."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import UserCreationForm

from tests.journeys.store.models import CartLine, Delivery


class SignUpForm(UserCreationForm):
    """A user's name, which must be new, and a password twice."""


class AddForm(forms.ModelForm):
    """How many of a product go into the cart."""

    class Meta:
        model = CartLine
        fields = ("quantity",)


class CheckoutForm(forms.ModelForm):
    """Where an order goes."""

    class Meta:
        model = Delivery
        fields = ("reference", "street")
