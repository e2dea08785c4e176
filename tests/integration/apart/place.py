"""The site on a master and a standby that stands still: puts it into Django's settings, and sees what runs where."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.checks.registry import registry
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

import pindb
from pindb import propagation
from tests.carriers import pins_of
from tests.integration.apart import settings as site
from tests.servers import PostgresCluster

ROOT = Path(__file__).parents[3]
ALIASES = ("default", "default-1")
ROUTERS = ("GreedyPinDbRouter", "StrictPinDbRouter")
TABLE = re.compile(r'(?:FROM|INTO|UPDATE) "(\w+)"')


class Place:
    """The servers, and what the standby has: a customer, a user "ada", her session and a periodic task."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self.cluster = cluster
        self.masters = {"default": cluster.master.settings("site")}
        self.sets = {"default": [{"PORT": cluster.standbys[0].port}]}

    def environment(self, router: str, **variables: str) -> dict[str, str]:
        """Return the environment of a process that works here."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": site.__name__,
            "SHOP_MASTERS": json.dumps(self.masters),
            "SHOP_SETS": json.dumps(self.sets),
            "APART_ROUTER": router,
            **variables,
        }


@contextmanager
def installed(place: Place, site: ModuleType = site) -> Iterator[None]:
    """Have "default" be the master of this place, its replica the standby, and install the site's apps."""
    changed = _settings(place, site)
    apps = changed.pop("INSTALLED_APPS")
    # One after the other: an app that becomes ready reads its settings.
    with _connected(place), _checks(), override_settings(**changed), override_settings(INSTALLED_APPS=apps):
        yield


@contextmanager
def _checks() -> Iterator[None]:
    """Forget the system checks that the apps register: without the apps they fail."""
    checks, deployment = set(registry.registered_checks), set(registry.deployment_checks)
    try:
        yield
    finally:
        registry.registered_checks, registry.deployment_checks = checks, deployment


@contextmanager
def _connected(place: Place) -> Iterator[None]:
    shop = {alias: connections.settings[alias] for alias in ALIASES}
    databases = pindb.populate_replicas(place.masters, place.sets)
    _close()
    connections.settings.update(connections.configure_settings(databases))
    try:
        yield
    finally:
        _close()
        connections.settings.update(shop)


def _close() -> None:
    """Have this thread connect anew."""
    for alias in ALIASES:
        if hasattr(connections._connections, alias):  # type: ignore[attr-defined]
            connections[alias].close()
            del connections[alias]


def _settings(place: Place, site: ModuleType) -> dict[str, Any]:
    changed = {
        name: value
        for name, value in vars(site).items()
        if name.isupper() and getattr(settings, name, None) != value and not name.startswith("SHOP_")
    }
    return {**changed, "MASTER_DATABASES": place.masters, "DATABASE_SETS": place.sets}


def create_tables() -> None:
    with pindb.pinning_context(), pindb.master("default"):
        call_command("migrate", database="default", run_syncdb=True, verbosity=0)
        call_command("createcachetable", database="default", verbosity=0)


@contextmanager
def statements() -> Iterator[list[tuple[str, str]]]:
    """Collect what runs in this thread: the alias, and the first table of the statement."""
    seen: list[tuple[str, str]] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        table = TABLE.search(str(sql))
        if table is not None:
            seen.append((context["connection"].alias, table[1]))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in ALIASES:
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield seen


def places(seen: list[tuple[str, str]], table: str) -> set[str]:
    """Return the aliases that statements on `table` ran on."""
    return {alias for alias, name in seen if name == table}


def handed_on() -> set[str]:
    """Return what the next request or task of this unit of work gets pinned."""
    return set(pins_of(propagation.outgoing()))


def reads_replica() -> bool:
    """Return whether an ordinary row is read from the standby, for all that this unit of work has done."""
    from tests.shop.models import Customer

    customers = Customer.objects.all()
    assert [customer.name for customer in customers] == ["Ada"] or customers.db == "default"
    return customers.db == "default-1"
