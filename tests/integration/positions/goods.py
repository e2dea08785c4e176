"""A DB set on real servers, "goods" with two replicas, and what tests do to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections, models
from django.test import override_settings

import pindb
from pindb import propagation
from pindb.config.database_sets import current_config
from pindb.servers import health
from pindb.servers.vendors.base import QUERY_MARKER
from tests.carriers import pins_of
from tests.servers import PostgresCluster, wait_until
from tests.services import Cluster
from tests.shop.models import Customer

ALIASES = ("goods", "goods-1", "goods-2", "goods-3")


class ToGoods:
    """A delegate."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "goods"

    db_for_write = db_for_read


def prepare(cluster: Cluster) -> None:
    """Create the database of a new cluster, owned by a user without privileges, and its table."""
    cluster.create_database("goods")
    if isinstance(cluster, PostgresCluster):
        cluster.master.execute("CREATE ROLE shop LOGIN")
        cluster.master.execute("ALTER DATABASE goods OWNER TO shop")
    cluster.wait_until_replayed()
    servers = (cluster.master, *cluster.standbys)
    with databases(*map(settings, servers)), connections["goods"].schema_editor() as editor:
        editor.create_model(Customer)
    cluster.wait_until_replayed()


def settings(server: Any) -> dict[str, Any]:
    return {**server.settings("goods"), "USER": "shop"}


@contextmanager
def databases(master: dict[str, Any], *replicas: dict[str, Any], **options: Any) -> Iterator[None]:
    """Run with these servers as the DB set, in position mode, without a wait for replicas."""
    masters, sets = {"goods": master}, {"goods": list(replicas)}
    aliases = pindb.populate_replicas(masters, sets, unmanaged_default=True)
    options = {
        "PINDB_CONSISTENCY": "position",
        "PINDB_DELEGATE_ROUTERS": [ToGoods()],
        "PINDB_POSITION_WAIT_SECONDS": 0,
        **options,
    }
    connections.settings.update(connections.configure_settings({"default": {}, **aliases}))
    connections.settings["default"] = DEFAULT
    try:
        with override_settings(MASTER_DATABASES=masters, DATABASE_SETS=sets, **options):
            yield
    finally:
        drop_connections()
        for alias in aliases:
            del connections.settings[alias]


def drop_connections() -> None:
    """Close this thread's connections to the DB set and forget their settings."""
    for alias in ALIASES:
        if hasattr(connections._connections, alias):  # type: ignore[attr-defined]
            connections[alias].close()
            del connections[alias]


DEFAULT = connections.settings["default"]


def write(name: str) -> Customer:
    return Customer.objects.create(name=name)


def publish() -> Any:
    """Return what a message published now holds, after its journey."""
    return json.loads(json.dumps(propagation.outgoing()))


def written(name: str) -> Any:
    """Write in a context of its own and return what a message holds that is published after it."""
    with pindb.pinning_context():
        write(name)
        return publish()


@contextmanager
def received(message: Any) -> Iterator[None]:
    work = propagation.open_message(message)
    try:
        yield
    finally:
        work.close()


def learn_health() -> None:
    """Have this process know that the replicas are up: at first, nobody waits long for the second one's answer."""
    db_set = current_config().sets["goods"]
    for alias in db_set.replicas:
        assert health.can_be_read(alias, db_set), alias


def pause(goods: Cluster) -> None:
    """Have no replica get any further."""
    for standby in goods.standbys:
        standby.pause_replay()


def resume(goods: Cluster) -> None:
    for standby in goods.standbys:
        standby.resume_replay()


def wait_until_one_has_replayed(goods: Cluster, standby: Any) -> None:
    """Wait until `standby` shows all that is committed on the master now."""
    if isinstance(goods, PostgresCluster):
        [(position,)] = goods.master.execute("SELECT pg_current_wal_lsn()::text")
    else:
        position = goods.master.position()
    wait_until(lambda: standby.has_replayed(position), 30, f"{standby} has replayed {position}")


def move_floors(goods: Cluster) -> None:
    """Have each standby show, also after a crash, all that is committed now: time would bring that within minutes."""
    if isinstance(goods, PostgresCluster):
        goods.master.execute("CHECKPOINT")
        goods.wait_until_replayed()
        for standby in goods.standbys:
            standby.execute("CHECKPOINT")


def read_from(name: str) -> tuple[str, bool]:
    """Return which alias a read uses, and whether the row is there."""
    rows = Customer.objects.filter(name=name)
    return rows.db, rows.exists()


def positions_in(message: Any) -> list[str]:
    """Return the marks that a message carries."""
    return [part.partition("=")[2] for part in message.split(";") if part.startswith("goods=") and ":" in part]


def timed_in(message: Any) -> bool:
    """Return whether a message carries a timed pin."""
    return "goods" in pins_of(message).timed


@contextmanager
def asking(*aliases: str) -> Iterator[list[str]]:
    """Collect the aliases of the DB set that pindb asks something, one for each round trip."""
    asked: list[str] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if str(sql).startswith(QUERY_MARKER):
            asked.append(context["connection"].alias)
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in aliases or [alias for alias in ALIASES if alias in connections.settings]:
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield asked


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what `function` returns in a thread of its own, with connections of its own that are closed after it."""
    result: Future[Any] = Future()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)
        finally:
            drop_connections()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result.result()


def names(rows: models.QuerySet[Customer]) -> set[str]:
    return set(rows.values_list("name", flat=True))
