"""`manage.py pindb_doctor --send`: probe tasks through real brokers to real workers, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import Kept, Valkey
from tests.services import rabbitmq
from tests.unit.pindb_dramatiq.sites import delete_queues

ROOT = Path(__file__).parents[3]
TIMEOUT = "20"


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


class Site:
    """The shop with a broker: its workers, and the doctor in a process of its own."""

    def __init__(self, queue: str, broker: str, backend: str, **conf: object) -> None:
        self.module = "tests.shop.celery" if queue == "celery" else "tests.shop.actors"
        self.queue = f"pindb-test-{uuid.uuid4().hex[:12]}"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.shop.settings",
            "SHOP_QUEUE": queue,
            "SHOP_QUEUE_NAME": self.queue,
            "SHOP_BROKER_URL": broker,
            "SHOP_RESULT_BACKEND": backend,
            "SHOP_CELERY": json.dumps({"CELERY_TASK_DEFAULT_QUEUE": self.queue, **conf}),
        }

    @contextmanager
    def worker(self, **environment: str) -> Iterator[None]:
        """Run a worker whose environment has `environment`."""
        quick = ["--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel=INFO", "--pool=solo"]
        command, ready = [sys.executable, "-m", "celery", "-A", self.module, "worker", *quick], " ready."
        if self.module.endswith("actors"):
            program = str(Path(sys.executable).with_name("dramatiq"))
            command = [program, self.module, "--path", str(ROOT), "--processes", "1", "--threads", "1"]
            ready = "The shop's Dramatiq worker is ready."
        with Kept(command, env={**self.environment, **environment}, cwd=ROOT) as process:
            process.wait_for_log(ready, 60)
            yield

    def sent(self, *arguments: str, seconds: str = TIMEOUT, **environment: str) -> list[tuple[str, str]]:
        """Return the verdicts and texts of the last section."""
        command = ["pindb_doctor", "--json", "--import", self.module, "--timeout", seconds, "--send", *arguments]
        done = subprocess.run(
            [sys.executable, "-m", "tests.shop.manage", *command],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        sections: Mapping[str, list[dict[str, str]]] = json.loads(done.stdout)["sections"]
        verdicts = {finding["verdict"] for findings in sections.values() for finding in findings}
        assert done.returncode == int("wrong" in verdicts), done.stdout
        return [(finding["verdict"], finding["text"]) for finding in sections["pins on their way"]]


@pytest.mark.parametrize("conf", [{}, {"CELERY_TASK_IGNORE_RESULT": True}], ids=["results", "no results by default"])
def test_a_pin_travels_to_celerys_worker_and_back(valkey: Valkey, conf: dict[str, object]) -> None:
    site = Site("celery", valkey.url(1), valkey.url(2), **conf)
    with site.worker():
        (travelled, said), (clock, of_clock) = site.sent()
    assert (travelled, clock) == ("ok", "ok")
    assert said.startswith(f"A pin has travelled to a worker of the queue '{site.queue}' of the Celery app 'shop', in ")
    assert of_clock.startswith(f"The clock of a worker of the queue '{site.queue}' of the Celery app 'shop' is ")


def test_celerys_worker_without_pindb_is_told(valkey: Valkey) -> None:
    site = Site("celery", valkey.url(3), valkey.url(4))
    with site.worker(SHOP_ROUTING="plain"):
        ((verdict, said),) = site.sent()
    assert verdict == "wrong"
    assert "does not know the task pindb.probe: it runs without pindb, or with an older one." in said


def test_celerys_worker_whose_settings_are_others_is_told(valkey: Valkey) -> None:
    site = Site("celery", valkey.url(5), valkey.url(6))
    with site.worker(SHOP_PINDB='{"PINDB_ENABLED": false}'):
        (verdict, said), _ = site.sent()
    assert (verdict, said.endswith("has PINDB_ENABLED = False.")) == ("wrong", True)


def test_a_queue_that_no_worker_consumes_is_told_beside_one_that_is(valkey: Valkey) -> None:
    site = Site("celery", valkey.url(7), valkey.url(8))
    with site.worker():
        (travelled, _), _, (lost, said) = site.sent(site.queue, "nobodys", seconds="8")
    assert (travelled, lost) == ("ok", "wrong")
    assert said == "No worker of the queue 'nobodys' of the Celery app 'shop' answered."


def test_without_a_result_backend_the_workers_are_asked_what_they_know(valkey: Valkey) -> None:
    site = Site("celery", valkey.url(9), "disabled://")
    with site.worker():
        ((verdict, said),) = site.sent(seconds="8")
        assert (verdict, "pindb is installed in the worker celery@" in said) == ("ok", True)
        assert "No task was sent" in said
    with site.worker(SHOP_ROUTING="plain"):
        ((verdict, said),) = site.sent(seconds="8")
        assert (verdict, "pindb is not installed in the worker celery@" in said) == ("wrong", True)


def test_a_pin_travels_over_rabbitmq_and_back() -> None:
    site = Site("celery", rabbitmq(), "rpc://")
    try:
        with site.worker():
            (travelled, _), _ = site.sent()
    finally:
        delete_queues(site.queue)
    assert travelled == "ok"


def test_a_pin_travels_to_dramatiqs_worker_and_back(valkey: Valkey) -> None:
    site = Site("dramatiq", valkey.url(11), valkey.url(12))
    with site.worker():
        (travelled, said), (clock, _) = site.sent()
        assert (travelled, clock) == ("ok", "ok")
        assert f"to a worker of the queue '{site.queue}' of Dramatiq's RedisBroker, in " in said
    with site.worker(SHOP_ROUTING="plain"):
        ((verdict, said),) = site.sent(seconds="3")
        assert (verdict, said.endswith("answered.")) == ("wrong", True)
