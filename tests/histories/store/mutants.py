"""Faults in pindb of one line each: with any of them a history must have violations, or the histories prove nothing.

A function's code is replaced, not its name: whoever has imported the function gets the fault, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pindb.core import activity, pins
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation import messages, results
from pindb.servers import positions
from pindb.web import cookie


def _no_pins_in_messages(existing: Any = None) -> Any:
    return codec.encode(NOTHING)  # type: ignore[name-defined]  # noqa: F821 - names of the module it goes into


def _no_cookie_read(request: Any, config: Any) -> Any:
    return NO_COOKIES  # type: ignore[name-defined]  # noqa: F821


def _first_pin_wins(self: Any, other: Any) -> Any:
    return PinSet({**other.timed, **self.timed}, {**other.positioned, **self.positioned})  # type: ignore[name-defined]  # noqa: F821


def _position_from_before_the_write(self: Any, server: str) -> Any:
    return self[server].cached is not None, self[server].cached and self[server].cached[1]


def _every_replica_has_caught_up(alias: str, master: str, positions: Any) -> bool:
    return True


def _results_bring_no_pins(value: object) -> None:
    return None


def _keep_units_of_work() -> None:
    """Have memory grow by what a small request holds, with each unit of work: no guarantee is broken."""
    kept: list[Any] = []
    make = UnitOfWork.__init__

    def make_and_keep(self: UnitOfWork, *arguments: Any, **more: Any) -> None:
        make(self, *arguments, **more)
        kept.append((self, bytearray(100_000)))

    UnitOfWork.__init__ = make_and_keep  # type: ignore[assignment]


def _replace(function: Any, fault: Any) -> Callable[[], None]:
    def apply() -> None:
        function.__code__ = fault.__code__

    return apply


MUTANTS = {
    "no-pins-in-messages": _replace(messages.outgoing, _no_pins_in_messages),
    "no-cookie-read": _replace(cookie.read, _no_cookie_read),
    "first-pin-wins": _replace(pins.PinSet.join, _first_pin_wins),
    "old-position": _replace(activity.Activity.cached_position, _position_from_before_the_write),
    "every-replica-will-do": _replace(positions.has_replayed, _every_replica_has_caught_up),
    "results-bring-no-pins": _replace(results.take, _results_bring_no_pins),
    "units-of-work-are-kept": _keep_units_of_work,
}
