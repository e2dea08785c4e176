"""A scenario: the actors of a small world, what they do, and how often what may happen to servers and clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from tests.model.connections import AUDIT, MASTER
from tests.model.steps import Step, Together
from tests.model.task_steps import End, EndMember, Receive
from tests.model.web_steps import Arrive, Request, Respond


@dataclass(frozen=True)
class Script:
    """What one actor does, and when it may begin."""

    name: str
    steps: tuple[Step, ...]
    after: str = ""
    """It begins when this one is done: a browser's tab sends one request after the other."""
    thread_of: str = ""
    """It runs in the thread of this one, and begins when that is done."""
    process: int = 0

    @property
    def predecessor(self) -> str:
        return self.after or self.thread_of


def script(name: str, *steps: Step, **rest: Any) -> Script:
    return Script(name, steps, **rest)


@dataclass(frozen=True)
class Scenario:
    """A small world, and how often what may happen in it."""

    name: str
    scripts: tuple[Script, ...]
    replicas: int = 2
    positions: bool = False
    monotonic: bool = False
    privileged: bool = True
    """Whether the role of pindb may ask a standby which timeline it receives."""
    bounded_lag: bool = True
    """Whether no replica lags more than the pinning time: timed pins need that, log positions do not."""
    jumps: tuple[float, ...] = ()
    """The times to which the clock may jump, one after the other."""
    failovers: int = 0
    crashes: int = 0
    kills: int = 0
    audit: bool = False
    """Whether there is a second DB set, "audit", with servers of its own."""

    @property
    def settings(self) -> dict[str, Any]:
        audit = {
            "MASTER_DATABASES": {MASTER: {}, AUDIT: {}},
            "DATABASE_SETS": {MASTER: [{}] * self.replicas, AUDIT: [{}]},
            "PINDB_DELEGATE_ROUTERS": ["tests.shop.routers.AuditRouter"],
        }
        return {
            "PINDB_CONSISTENCY": "position" if self.positions else "time",
            "PINDB_MONOTONIC_READS": self.monotonic,
            **(audit if self.audit else {}),
        }


def with_three_replicas(scenario: Scenario) -> Scenario:
    return replace(scenario, name=f"{scenario.name}, three replicas", replicas=3)


def request(name: str, *steps: Step, **rest: Any) -> Any:
    """Return a request whose answer reaches the browser some time after the view has returned."""
    return script(name, Together(Request(), *steps, Respond()), Arrive(), **rest)


def last_request(name: str, *steps: Step, **rest: Any) -> Any:
    """Return a request whose answer makes no difference to anybody."""
    return script(name, Together(Request(), *steps, Respond()), **rest)


def task(name: str, *steps: Step, **rest: Any) -> Any:
    return script(name, Together(Receive((name,)), *steps, End()), **rest)


def member(name: str, *steps: Step) -> Any:
    return script(name, Together(Receive((name,)), *steps), EndMember(name, ("a", "b"), "body"))


POSITIONS: Final[Any] = {"positions": True, "bounded_lag": False}
MONOTONIC: Final[Any] = {**POSITIONS, "monotonic": True}
