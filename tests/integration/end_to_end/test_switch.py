"""The switch on running gunicorn and Celery processes, flipped while clients write and read what they wrote."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self

import pytest
from celery import Celery

from tests.demo.clients import TIMEOUT, Client
from tests.demo.processes import ROOT, START_TIMEOUT, environment
from tests.demo.queues import QUEUES
from tests.integration.end_to_end.switched_site import Place
from tests.servers import Kept, PostgresCluster, Valkey, wait_until

pytestmark = pytest.mark.heavy

STATES = {"shadow": "shadow", "25%": "on, 0.25 of all", "on": "on", "off": "off"}
"""What each process is to say, by what the command is told."""
FLIPS = [*STATES] * 3
EVERY = 3
"""After so many flips all processes have to follow. The others are flipped back while only some have followed."""
FOLLOWED_SECONDS = 5 + 3
"""The promise, and a margin for a busy machine."""
WORKERS = 2
LAG_SECONDS = 1.0
PAUSE_SECONDS = 0.1
SERVERS = {"sync": [], "gthread": ["--threads=3", "--preload"]}


class Shopper(Client):
    """A client that reads what it has written, the rows and what its tasks say."""

    def get(self, path: str) -> Any:
        with self.opener.open(f"{self.shop}{path}", timeout=TIMEOUT) as response:
            return json.load(response)


class Site:
    """The running processes."""

    def __init__(self, shops: list[str], queue: Celery, logs: list[Kept]) -> None:
        self.shops = shops
        self.queue = queue
        self.logs = logs

    def places(self) -> Iterator[Place]:
        """Ask all processes a few times, side by side, so that each one should have its turn."""
        asked = [self.queue.send_task("where_switched") for _ in range(2 * WORKERS)]
        with ThreadPoolExecutor(8) as pool:
            yield from pool.map(lambda shop: Shopper(shop).get("where"), self.shops * 2 * WORKERS)
        yield from (each.get(timeout=TIMEOUT) for each in asked)

    def log_text(self) -> str:
        return "\n".join(each.log_text() for each in self.logs)


@pytest.fixture
def switch() -> Iterator[Valkey]:
    """The cache that the switch is in, apart from the queue."""
    with Valkey() as started:
        yield started


@pytest.fixture
def env(cluster: PostgresCluster, valkey: Valkey, switch: Valkey) -> Mapping[str, str]:
    settings = "tests.integration.end_to_end.switched"
    urls = {"broker_url": valkey.url(0), "result_backend": valkey.url(1), "switch": switch.url()}
    return environment(cluster, settings, **urls)


@pytest.fixture
def site(cluster: PostgresCluster, valkey: Valkey, env: Mapping[str, str]) -> Iterator[Site]:
    cluster.wait_until_replayed()
    cluster.set_lag(LAG_SECONDS)
    valkey.flush()
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:0", f"--workers={WORKERS}"]
    application = "django.core.wsgi:get_wsgi_application()"
    commands = [[*gunicorn, f"--worker-class={kind}", *more, application] for kind, more in SERVERS.items()]
    commands.append(QUEUES["celery"].worker("prefork", WORKERS))
    with ExitStack() as stack:
        kept = [stack.enter_context(Kept(command, env=env, cwd=ROOT)) for command in commands]
        queue = stack.enter_context(Celery("where", broker=valkey.url(0), backend=valkey.url(1), set_as_current=False))
        kept[-1].wait_for_log(" ready.", START_TIMEOUT)
        shops = []
        for server in kept[:-1]:
            server.wait_for_log("Booting worker", START_TIMEOUT)
            address = re.search(r"Listening at: (http://\S+)", server.log_text())
            assert address is not None
            shops.append(f"{address[1]}/")
        running = Site(shops, queue, kept)
        yield running
        print("SWITCH", env["SHOP_SWITCH"], running.log_text())
        cluster.set_lag(0)


def flip(env: Mapping[str, str], state: str) -> None:
    command = [sys.executable, "-m", "tests.shop.manage", "pindb_switch", state]
    with Kept(command, env=env, cwd=ROOT) as running:
        assert running.wait(30) == 0, running.log_text()


def lookups(switch: Valkey) -> int:
    """Return how often the cache was read."""
    with socket.create_connection(("127.0.0.1", switch.port), timeout=10) as connection:
        connection.sendall(b"INFO commandstats\r\nQUIT\r\n")
        found = re.search(r"cmdstat_get:calls=(\d+)", connection.makefile().read())
    return int(found[1]) if found else 0


def is_right(place: Place) -> bool:
    """Return whether the read was where the state says."""
    on_master = place["alias"] == "default"
    return place["state"] in (None, STATES["25%"]) or on_master == (place["state"] != "on")


def all_processes(site: Site) -> set[int]:
    pids: set[int] = set()

    def complete() -> bool:
        pids.update(place["pid"] for place in site.places())
        return len(pids) == WORKERS * len(site.logs)

    wait_until(complete, START_TIMEOUT, lambda: f"{pids} are all")
    return pids


def follow(site: Site, state: str, pids: set[int], *, everywhere: bool) -> None:
    """Wait until one process has followed, or all have, and each that was asked has read where its state says."""
    seen: dict[int, set[bool]] = {}

    def followed() -> bool:
        for place in site.places():
            assert is_right(place), place
            if place["state"] == STATES[state]:
                seen.setdefault(place["pid"], set()).add(place["alias"] == "default")
        return seen.keys() == pids if everywhere else bool(seen)

    wait_until(followed, FOLLOWED_SECONDS, lambda: f"{state} is in force in {pids}, but for {pids - seen.keys()}")
    if everywhere and state == "25%":
        both = {False, True}
        wait_until(lambda: followed() and all(each == both for each in seen.values()), 30, "both sides are read")


class Load:
    """Clients at work in threads until the block ends, which raises what failed in them."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.rounds = 0
        self.tasks: list[str] = []
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(8)
        self._clients: list[Future[None]] = []

    def __enter__(self) -> Self:
        for number, shop in enumerate(self.site.shops):
            self._start(self._shop, Shopper(shop, f"customer {number}"))
        self._start(self._watch, Shopper(self.site.shops[-1]))
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()
        for client in self._clients:
            client.result()

    def check(self) -> None:
        """Raise what has failed so far."""
        for client in self._clients:
            if client.done():
                client.result()

    def _start(self, work: Callable[[Shopper], None], client: Shopper) -> None:
        def until_over() -> None:
            while not self._over.wait(PAUSE_SECONDS):
                work(client)

        self._clients.append(self._pool.submit(until_over))

    def _shop(self, client: Shopper) -> None:
        client = Shopper(client.shop, client.name)  # without cookies: an older pin would hide that one is missing
        placed = client.place("1.50")
        order = placed["order"]
        assert client.get(f"orders/{order}")["status"] == "new"
        paid = client.pay(order)
        seen = client.get(f"orders/{order}")
        assert (seen["status"], seen["history"]) == ("paid", ["paid"])
        self.tasks += [placed["task"], paid["task"]]
        self.rounds += 1

    def _watch(self, client: Shopper) -> None:
        aliases = client.get("watch")["aliases"]
        places = [alias for alias, before in zip(aliases, [None, *aliases], strict=False) if alias != before]
        assert len(places) == 1 or places[1:] == ["default"], aliases


def test_nothing_is_stale_while_the_switch_is_flipped_and_every_process_follows(
    site: Site, env: Mapping[str, str], switch: Valkey, valkey: Valkey
) -> None:
    pids = all_processes(site)
    began, before = time.monotonic(), lookups(switch)
    with Load(site) as load:
        for number, state in enumerate(FLIPS, 1):
            flip(env, state)
            follow(site, state, pids, everywhere=number % EVERY == 0)
            load.check()
        asked, seconds = lookups(switch) - before, time.monotonic() - began
        switch.process.kill()
        wait_until(
            lambda: all(f"<{pid}> PINDB_SWITCH cannot be asked" in site.log_text() for pid in pids),
            FOLLOWED_SECONDS,
            "every process has noticed that the cache is gone",
        )
        follow(site, FLIPS[-1], pids, everywhere=True)
    tasks = QUEUES["celery"].results(valkey.url(1), load.tasks)
    assert len(tasks) == 2 * load.rounds > len(FLIPS)
    assert [task for task in tasks if not (task["found"] and task["current"])] == []
    # With --preload the process that forks the workers asks, too. A run of the command asks a few times.
    assert asked <= (len(pids) + 1) * (seconds / 4.8 + 1) + 3 * len(FLIPS)
