"""The shop on a real cluster: puts it into Django's settings, reads from it, and does to its servers what happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

import pindb
from tests.servers import PostgresCluster, PostgresServer, Standby, wait_until
from tests.shop.models import Customer, Order

DELEGATE = type("ToShop", (), {"db_for_read": lambda *_, **__: "shop", "db_for_write": lambda *_, **__: "shop"})


class Clock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Probes:
    """Counts the probes of each replica."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self.aliases: list[str] = []

    def __call__(self, probe: Any, **wanted: Any) -> Any:
        self.aliases.append(probe.alias)
        return self._ask(probe, **wanted)

    def of(self, alias: str) -> int:
        return self.aliases.count(alias)


@contextlib.contextmanager
def installed(cluster: PostgresCluster, user: str = "postgres", **changed: Any) -> Iterator[None]:
    """Make `cluster` the DB set "shop", which all models are read from."""
    servers = {"shop": cluster.master, **{f"shop-{n}": standby for n, standby in enumerate(cluster.standbys, 1)}}
    databases = {alias: server.settings("shop") | {"USER": user} for alias, server in servers.items()}
    databases["shop"]["USER"] = cluster.master.settings("shop")["USER"]
    for alias, database in databases.items():
        connections.settings[alias] = settings.DATABASES[alias] = connections.configure_settings(
            {"default": settings.DATABASES["default"], alias: database}
        )[alias]
    replicas = [{"PORT": standby.port} for standby in cluster.standbys]
    try:
        with override_settings(
            MASTER_DATABASES={"shop": databases["shop"]},
            DATABASE_SETS={"shop": replicas},
            PINDB_DELEGATE_ROUTERS=[DELEGATE()],
            **changed,
        ):
            call_command("migrate", "shop", database="shop", verbosity=0)
            cluster.wait_until_replayed()
            connections["shop"].close()
            with pindb.pinning_context():
                yield
    finally:
        for alias in databases:
            connections[alias].close()
            del connections[alias], connections.settings[alias]
            settings.DATABASES.pop(alias, None)


def read() -> str:
    """Read as one unit of work; return where from."""
    with pindb.pinning_context():
        orders = Order.objects.all()
        list(orders)
        list(Order.objects.filter(total=1))
        return str(orders.db)


def read_and_hang_up() -> str:
    """Read as a request does where connections are not persistent, or in a thread that ends."""
    try:
        return read()
    finally:
        connections.close_all()


def reads(count: int = 8) -> set[str]:
    """Read that many times; return where from."""
    return {read() for _ in range(count)}


class Waits(threading.local):
    """How many seconds each thread has waited in vain; `wait` takes the place of `threading.Event.wait`."""

    seconds = 0.0

    def wait(self, event: threading.Event, timeout: float | None = None) -> bool:
        came = _wait(event, timeout)
        if not came:
            self.seconds += timeout or 0.0
        return came


_wait = threading.Event.wait
waits = Waits()


def timed(function: Callable[[], str]) -> tuple[str, float]:
    """Return what `function` returns, and the seconds that it waited in vain: how busy the machine is adds none."""
    before = waits.seconds
    result = function()
    return result, waits.seconds - before


def until_no_probe_is_under_way() -> None:
    """Return when the last probe has ended, also one that nobody waits for any more."""
    for thread in threading.enumerate():
        if thread.name == "pindb":
            thread.join(timeout=10)
            assert not thread.is_alive()


def write() -> None:
    """Write to the master, outside all pins."""
    with pindb.pinning_context(), pindb.master("shop"):
        Customer.objects.create(name=f"Ada {time.monotonic_ns()}")


def processes_of(server: PostgresServer) -> list[int]:
    """Return the ids of the server's process and its children's."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()]
    return [server.process.pid, *(pid for pid, parent in rows if parent == server.process.pid)]


@contextlib.contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """Have the server accept connections, for that the system does, and answer nothing."""
    pids: list[int] = []
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        for pid in processes_of(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                pids.append(pid)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def started_again(cluster: PostgresCluster, standby: Standby) -> Iterator[None]:
    """Start a standby that was killed, on its port and with what is in its data directory now."""
    data = cluster._directory.path / standby.name
    (data / "postmaster.pid").unlink(missing_ok=True)
    with cluster._keep(["postgres", "-D", data, "-p", str(standby.port)]) as process:
        process.wait_for_log("database system is ready to accept")
        yield


def cut_off(standby: Standby) -> None:
    """Have the standby lose its master, and not find it again."""
    standby.execute("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'")
    standby.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not standby.execute("SELECT FROM pg_stat_wal_receiver"), 10, "the receiver has ended")
