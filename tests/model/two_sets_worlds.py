"""Worlds with two DB sets: what is written to one of them says nothing of the other one."""

from __future__ import annotations

from typing import Final

from tests.model.connections import AUDIT
from tests.model.scenario import POSITIONS, Scenario, last_request, request, task
from tests.model.steps import Read, Write
from tests.model.task_steps import Publish

TWO_SETS: Final = (
    Scenario(
        "two DB sets, each with a write before a task, with log positions",
        (
            last_request("the request", Write("order 1"), Write("entry 1", AUDIT), Publish("confirm")),
            task("confirm", Read(), Read(AUDIT), Publish("mail")),
            task("mail", Read(AUDIT), Read()),
        ),
        replicas=1,
        audit=True,
        **POSITIONS,
    ),
    Scenario(
        "two DB sets, one written to in each tab, the clock jumps",
        (
            request("tab one's first request", Write("order 1"), Read(AUDIT)),
            last_request("tab one's second request", Read(), Read(AUDIT), after="tab one's first request"),
            request("tab two's request", Write("entry 1", AUDIT)),
        ),
        replicas=1,
        jumps=(10.0, 20.0),
        audit=True,
    ),
)
