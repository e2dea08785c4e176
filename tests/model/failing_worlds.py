"""Worlds in which servers fail: the master, and a replica that comes back older than it was."""

from __future__ import annotations

from typing import Final

from tests.model.scenario import POSITIONS, Scenario, last_request, script, task
from tests.model.steps import Elsewhere, Read, Write
from tests.model.task_steps import Publish

FAILOVERS: Final = tuple(
    Scenario(
        f"a failover, {how}",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Write("order 1"), Publish("confirm")),
            task("confirm", Read()),
        ),
        failovers=1,
        privileged=privileged,
        **POSITIONS,
    )
    for how, privileged in {"asked by a privileged role": True, "asked by a role without privileges": False}.items()
)

CRASHES: Final = (
    Scenario(
        "a replica is killed and comes back older",
        (
            last_request("the request", Write("order 1"), Publish("one"), Publish("two")),
            task("one", Read()),
            task("two", Read()),
        ),
        crashes=1,
        **POSITIONS,
    ),
    Scenario(
        "a pin is no longer handed on once every replica has passed it for good",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Write("order 1"), Publish("one")),
            task("one", Read(), Publish("two")),
            task("two", Read(), Publish("three")),
            task("three", Read()),
        ),
        replicas=1,
        crashes=1,
        failovers=1,
        **POSITIONS,
    ),
)
