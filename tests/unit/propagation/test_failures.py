"""A process with hooks but without Django settings: it publishes, and says so in one line, once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from pindb.propagation.failures import log_failure

PREPARED = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
from pindb import propagation
"""
CELERY = """
from celery import Celery
import pindb_celery
app = Celery("plain", broker="memory://", backend="cache+memory://")
pindb_celery.install(app)
for _ in range(2):
    app.send_task("task")
app.backend.store_result("id", "result", "SUCCESS")
assert app.AsyncResult("id").get(timeout=10) == "result"
with app.connection_for_read() as connection:
    assert connection.default_channel.basic_get("celery", no_ack=True).headers[propagation.KEY] == "unreadable"
"""
DRAMATIQ = """
import dramatiq
from dramatiq.brokers.stub import StubBroker
import pindb_dramatiq
broker = StubBroker()
pindb_dramatiq.install(broker)
@dramatiq.actor(broker=broker)
def actor(): pass
for _ in range(2):
    actor.send()
"""


@pytest.mark.parametrize("program", [CELERY, DRAMATIQ], ids=["celery", "dramatiq"])
def test_a_publisher_without_django_settings_says_so_in_one_line_once(program: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", PREPARED + program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60)
    (line,) = [line for line in done.stdout.splitlines() if "hostname" not in line]  # Celery's, of the URL memory://
    assert line.startswith("WARNING pindb ")
    assert "no Django settings" in line
    assert "DJANGO_SETTINGS_MODULE" in line


def test_any_other_failure_is_logged_with_its_traceback_each_time(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        try:
            _ = 1 / 0
        except ZeroDivisionError:
            log_failure("pindb could not count.")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "pindb could not count.")
    ] * 2
    assert all(record.exc_info for record in caplog.records)
