"""The same views and consumer: the token goes from the page to the socket, and each message is a unit of work."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.http import HttpRequest, JsonResponse
from django.urls import path

import pindb
from tests.guides.orders.models import Order
from tests.guides.orders.tasks import seen


# begin page
async def place(request: HttpRequest) -> JsonResponse:
    order = await Order.objects.acreate()
    return JsonResponse({"placed": order.pk, "pindb": pindb.token()})  # the page sends it with its first message


# end page
# begin view
async def summary(request: HttpRequest) -> JsonResponse:
    order = await Order.objects.acreate()
    return JsonResponse({"saw": await asyncio.to_thread(seen, order.pk)})


# end view
# begin consumer
class OrderConsumer(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        with pindb.pinning_context():
            pindb.observe(content.get("pindb", ""))
            if "note" in content:
                await Order.objects.acreate(status=content["note"])
            order = await Order.objects.filter(pk=content["order"]).afirst()
            await self.send_json({"saw": order.status if order else "missing", "pindb": pindb.token()})


# end consumer
urlpatterns = [path("orders/", place), path("summary/", summary)]
