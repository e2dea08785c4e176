"""Plays the story of the guide for ASGI, and prints as JSON what each step has seen."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import Any

import django
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

TIMEOUT = 30


async def play() -> dict[str, Any]:
    """Place an order on the page, then talk about it over the socket; at last ask for the summary."""
    from django.test import AsyncClient

    client = AsyncClient()
    placed = json.loads((await client.post("/orders/")).content)
    consumer = import_module(settings.ROOT_URLCONF).OrderConsumer.as_asgi()
    socket = ApplicationCommunicator(consumer, {"type": "websocket", "path": "/"})
    await socket.send_input({"type": "websocket.connect"})
    await socket.receive_output(TIMEOUT)
    messages = {
        "the order of the page": {"order": placed["placed"], "pindb": placed["pindb"]},
        "after no write": {"order": 1},
        "after a write in the message": {"order": 1, "note": "hello"},
        "the message after that": {"order": 1},
    }
    seen = {}
    for name, message in messages.items():
        await socket.send_input({"type": "websocket.receive", "text": json.dumps(message)})
        seen[name] = json.loads((await socket.receive_output(TIMEOUT))["text"])["saw"]
    seen["in a thread of the view"] = json.loads((await client.get("/summary/")).content)["saw"]
    return seen


if __name__ == "__main__":
    django.setup()
    print(json.dumps(asyncio.run(play())))
