"""Which tests run in one process of pytest-xdist: those that share servers or workers, so that these start once."""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadScopeScheduling

WORKERS = r"(valkey|redis|rabbitmq)-((redis|rpc|file|database|django-db)-)?(prefork|threads|solo|gevent|eventlet)"

SHARED = (
    (r"guides/", r""),
    (r"integration/apart/", r""),
    (r"integration/contrib/", r""),
    (r"integration/celery/", WORKERS),
    (r"integration/dramatiq/test_processes", WORKERS),
    (r"integration/queues/", r"(celery|dramatiq)-(valkey|redis|rabbitmq)"),
    (r"integration/end_to_end/test_race", r"celery|dramatiq"),
    (r"integration/positions/", r"postgresql|mariadb|mysql"),
    (r"integration/wait_for_replica/test_celery", r"[\w-]*(mariadb|mysql)|valkey|rabbitmq|quorum"),
    (r"integration/wait_for_replica/test_processes", WORKERS),
)
"""Folders or modules, and what names the servers in the parameters of a test there: nothing, if all share the same."""


def group_of(test: str) -> str:
    """Return the group of a test, given its id: its folder or module with what it shares, otherwise its module."""
    module, _, name = test.partition("::")
    parameters = name.partition("[")[2]
    for place, shared in SHARED:
        if place in module and (found := re.search(shared, parameters)):
            return f"{place} {found[0]}"
    return module


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out whole groups, in the order of collection: what waits for servers comes first."""

    def __init__(self, config: Any, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
