"""Writes, sends, takes results, and prints what it got as JSON: `python -m tests.integration.dramatiq.project.send`."""

from __future__ import annotations

import json
from typing import Any

import django

if __name__ == "__main__":
    django.setup()
    from django_dramatiq.models import Task

    import pindb
    from tests.integration.dramatiq.project.tasks import greet, rename
    from tests.shop.models import Customer

    def got(message: Any) -> Any:
        """Return a result, taken in a context of its own."""
        with pindb.pinning_context():
            return message.get_result(block=True, timeout=30_000)

    answer: dict[str, Any] = {}
    with pindb.pinning_context():
        Customer.objects.create(name="ada")
        answer["after a write"] = got(greet.send("ada"))
        answer["delayed"] = got(greet.send_with_options(args=("ada",), delay=10))
    with pindb.pinning_context():
        message = greet.send("ada")
        answer["sending pins"] = sorted(pindb.get_pinned())
        answer["after no write"] = got(message)
    with pindb.pinning_context():
        rename.send("ada", "grace").get_result(block=True, timeout=30_000)
        answer["taken"] = sorted(pindb.get_newly_pinned())
        answer["found"] = Customer.objects.filter(name="grace").exists()
    answer["messages in the admin"] = Task.tasks.using("default").count()
    print(json.dumps(answer))
