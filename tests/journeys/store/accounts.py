"""Pages for those who have an account."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from tests.journeys.store.forms import SignUpForm
from tests.journeys.store.pages import page
from tests.shop.models import Customer


def sign_up(request: HttpRequest) -> HttpResponse:
    """GET and POST /signup: makes a user who is a customer, and signs it in."""
    form = SignUpForm(request.POST or None)
    if not form.is_valid():
        return page(request, errors=form.errors)
    with transaction.atomic():
        user = form.save()
        Customer.objects.get_or_create(name=user.get_username())
    login(request, user)
    return redirect("/account")


@login_required
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """GET /account: what the store knows of who is signed in."""
    customer = Customer.objects.get(name=request.user.get_username())
    groups = [group.name for group in request.user.groups.all()]
    return page(request, customer=customer.name, groups=groups, orders=customer.orders.count())
