"""What every page of the store shows, as a real site's header does."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse

from tests.journeys.store.models import CartLine


def page(request: HttpRequest, **content: Any) -> JsonResponse:
    """Return a page: its content, who is signed in, and how much is in the cart."""
    cart = request.session.get("cart")
    lines = CartLine.objects.filter(cart_id=cart).count() if cart else 0
    return JsonResponse({**content, "user": request.user.get_username(), "cart": lines})
