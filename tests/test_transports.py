"""The examples of docs/transports.md work as they stand there: a consumer, a webhook, a cron job."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.generic.websocket import JsonWebsocketConsumer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory

import pindb
from pindb.middleware import PinDbMiddleware
from tests.shop.models import Customer, Order

PAGE = (Path(__file__).parent.parent / "docs/transports.md").read_text()
pytestmark = pytest.mark.usefixtures("shop_tables")


class Provider:
    """A payment provider that brings back what it was given."""

    metadata: Any = None

    def create_payment(self, order: int, metadata: Any) -> None:
        self.metadata = json.loads(json.dumps(metadata))


@pytest.fixture
def examples() -> dict[str, Any]:
    names = {
        "pindb": pindb, "json": json, "Order": Order, "HttpResponse": HttpResponse, "JsonResponse": JsonResponse,
        "JsonWebsocketConsumer": JsonWebsocketConsumer, "provider": Provider(),
    }  # fmt: skip
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        if "def " in block or "class " in block:
            exec(block, names)
    return names


@pytest.fixture
def order() -> Order:
    """An order that no replica has: the shop's replicas never catch up."""
    with pindb.pinning_context(), pindb.master("default"):
        return Order.objects.create(customer=Customer.objects.create(name="ada"), total=1)


def test_tokens(order: Order) -> None:
    with pindb.pinning_context():
        Order.objects.filter(pk=order.pk).update(total=2)
        first, second = re.findall(r"^# the (?:sender|receiver).*?\n(.*?)(?=\n\n|^```)", PAGE, re.MULTILINE | re.DOTALL)
        names: dict[str, Any] = {"pindb": pindb, "Order": Order, "order": order}
        exec(first, names)
    names["order"] = None
    with pytest.raises(Order.DoesNotExist):
        Order.objects.get(pk=order.pk)
    exec(second, names)
    assert names["order"] == order


def test_a_websocket(examples: dict[str, Any], order: Order) -> None:
    with pindb.pinning_context():
        pindb.pin("default")
        token = pindb.token()

    async def talk() -> Any:
        browser = ApplicationCommunicator(examples["OrderConsumer"].as_asgi(), {"type": "websocket", "path": "/"})
        await browser.send_input({"type": "websocket.connect"})
        assert (await browser.receive_output(10))["type"] == "websocket.accept"
        question = json.dumps({"order": order.pk, "pindb": token})
        await browser.send_input({"type": "websocket.receive", "text": question})
        answer = await browser.receive_output(10)
        await browser.send_input({"type": "websocket.disconnect", "code": 1000})
        await browser.wait()
        return json.loads(answer["text"])

    answer = async_to_sync(talk)()
    assert answer["status"] == order.status
    with pindb.pinning_context():
        pindb.observe(answer["pindb"])
        assert pindb.is_pinned("default")


def test_a_webhook(examples: dict[str, Any], order: Order) -> None:
    def call(view: Any, request: HttpRequest) -> Any:
        return PinDbMiddleware(view)(request)

    call(lambda request: examples["pay"](request, order.pk), RequestFactory().get("/"))
    event = {"order": order.pk, "metadata": examples["provider"].metadata}
    request = RequestFactory().post("/", json.dumps(event), content_type="application/json")
    assert json.loads(call(examples["webhook"], request).content) == {"status": "paying"}


def test_a_cron_job(examples: dict[str, Any], order: Order, tmp_path: Path) -> None:
    with pindb.pinning_context():
        examples["export_orders"](tmp_path / "token")
    assert examples["upload_exported"](tmp_path / "token") == [order]
