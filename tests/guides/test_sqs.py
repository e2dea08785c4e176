"""Celery on SQS, played by moto: the pins are in the body of the message, and the worker gets them."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.guides.site import ROOT, Site, told
from tests.servers import Kept, free_port


@pytest.fixture(scope="module")
def sqs() -> Iterator[dict[str, str]]:
    port = free_port()
    with Kept([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], cwd=ROOT) as process:
        process.wait_for_log("Running on", 60)
        yield {
            "GUIDE_SQS": f"sqs://key:secret@127.0.0.1:{port}",
            "GUIDE_SQS_OPTIONS": json.dumps({"is_secure": False, "wait_time_seconds": 1, "polling_interval": 0.05}),
        }


def test_before_tasks_read_stale(site: Site, sqs: dict[str, str]) -> None:
    assert told(site.play("sqs.before", **sqs))["task"] == "missing"


def test_after_they_do_not(site: Site, sqs: dict[str, str]) -> None:
    assert told(site.play("sqs.after", **sqs)) == {
        "task": "placed",
        "next request": "placed",
        "another user": "replica",
        "task after no write": "replica",
    }


def test_the_pins_are_in_the_body_and_a_message_that_comes_again_has_them_again(
    site: Site, sqs: dict[str, str]
) -> None:
    site.run("sqs.after", "-m", "tests.guides.sqs.publish", **sqs)
    first, again = (_receive(sqs["GUIDE_SQS"], "sqs-after") for _ in range(2))
    assert "MessageAttributes" not in first
    body = json.loads(b64decode(first["Body"]))
    assert "default" in body["headers"]["pindb"]
    assert json.loads(b64decode(again["Body"]))["headers"]["pindb"] == body["headers"]["pindb"]


def _receive(url: str, queue: str) -> dict[str, Any]:
    """Receive a message and do not delete it: it can be received again when its visibility timeout is over, at once."""
    client = boto3.client(
        "sqs",
        region_name="eu-central-1",
        endpoint_url=f"http://{url.rpartition('@')[2]}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    address = client.get_queue_url(QueueName=queue)["QueueUrl"]
    (message,) = client.receive_message(QueueUrl=address, VisibilityTimeout=0, MessageAttributeNames=["All"])[
        "Messages"
    ]
    return dict(message)
