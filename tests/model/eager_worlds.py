"""Worlds in which a task runs in its caller's process: both read one place, and each hands on what the other has read.

The simulation has found the defects that these worlds guard against.
"""

from __future__ import annotations

from typing import Final

from tests.model.scenario import MONOTONIC, POSITIONS, Scenario, last_request, script, task
from tests.model.steps import Elsewhere, Read, Together
from tests.model.task_steps import EndEager, Publish, StartEager
from tests.model.web_steps import Arrive, Request, Respond

EAGER: Final = (
    Scenario(
        "a caller reads where its task in the same process has read",
        (
            script("the import", Elsewhere("article 1")),
            script("the request", Together(Request(), StartEager()), Read(), Together(EndEager(), Read(), Respond())),
        ),
        **POSITIONS,
    ),
    Scenario(
        "a caller hands on what its task in the same process has read, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            script("the first request", Together(Request(), StartEager(), Read(), EndEager(), Respond()), Arrive()),
            last_request("the second request", Read(), after="the first request"),
        ),
        **MONOTONIC,
    ),
    Scenario(
        "a task in its caller's process hands on what the caller has read, with monotonic reads",
        (
            script("the import", Elsewhere("article 1")),
            last_request("the request", Read(), StartEager(), Publish("mail"), EndEager()),
            task("mail", Read()),
        ),
        **MONOTONIC,
    ),
)
