"""Views and a consumer as they are written without a thought of replicas."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.guides.orders.models import Order
from tests.guides.orders.tasks import seen


async def place(request: HttpRequest) -> JsonResponse:
    """Write."""
    order = await Order.objects.acreate()
    return JsonResponse({"placed": order.pk, "pindb": ""})


# begin view
async def summary(request: HttpRequest) -> JsonResponse:
    order = await Order.objects.acreate()
    loop = asyncio.get_running_loop()
    return JsonResponse({"saw": await loop.run_in_executor(None, seen, order.pk)})


# end view
# begin consumer
class OrderConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        if "note" in content:
            await Order.objects.acreate(status=content["note"])
        order = await Order.objects.filter(pk=content["order"]).afirst()
        await self.send_json({"saw": order.status if order else "missing"})


# end consumer
urlpatterns = [path("orders/", place), path("summary/", summary)]
