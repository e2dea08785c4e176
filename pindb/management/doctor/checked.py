"""The settings: what pindb's own system checks say of them, in their words, and whether replicas are read at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Final

from django.core.checks import WARNING, CheckMessage
from django.core.checks.registry import registry
from django.db import connections

from pindb import checks
from pindb.config import rollout
from pindb.config.checks import Check, config_in_force
from pindb.config.database_sets import Config
from pindb.config.rollout import Rollout
from pindb.exceptions import PinDbConfigError, first_line
from pindb.management.doctor.findings import Finding, Findings, Verdict, ok, unwise, wrong
from pindb.servers.timed_call import ask_all

STALE: Final = frozenset({
    "pindb.W002", "pindb.W003", "pindb.W006", "pindb.W014", "pindb.W017", "pindb.W018", "pindb.W022", "pindb.W023",
    "pindb.W024", "pindb_dramatiq.W001", "pindb_dramatiq.W002",
})  # fmt: skip
"""Warnings of system checks after which a read may miss what was written."""

SAID_ELSEWHERE: Final = "pindb.I003"
"""Which mode a DB set runs in: here the servers themselves are asked."""


def settings(modules: Iterable[str], seconds: float) -> Findings:
    """Import `modules`, then run pindb's system checks, without those that ask servers: `servers` asks these itself.

    The switch is asked as well, for at most `seconds`.
    """
    for module in modules:
        try:
            import_module(module)
        except Exception as error:
            remedy = "Type --import and the path of a module, e.g. --import shop.celery."
            yield wrong(f"{module!r} cannot be imported: {first_line(error)}.", remedy)
    messages = 0
    every = [*checks.ALL, *_of_adapters()]
    for check in every:
        try:
            found = [message for message in check() if not message.is_silenced() and message.id != SAID_ELSEWHERE]
        except Exception as error:
            yield wrong(f"A system check has raised {first_line(error)}.", "Correct what it names in the settings.")
            messages += 1
            continue
        messages += len(found)
        yield from map(finding_of, found)
    if not messages:
        yield ok(f"{len(every)} system checks of pindb have nothing to say.")
    if (config := config_in_force()) is not None:
        yield from _switch(config, seconds)
        yield from _rollout(config)


def finding_of(message: CheckMessage) -> Finding:
    """Return what a system check says as a finding."""
    verdict = Verdict.WRONG if message.level > WARNING or message.id in STALE else Verdict.UNWISE
    return Finding(verdict, str(message.msg), str(message.hint or ""), message.id or "")


def _of_adapters() -> Iterator[Check]:
    """Produce the checks that adapters have registered: pindb itself does not import them."""
    registered: Iterable[Any] = registry.registered_checks
    ours = (check for check in registered if check.__module__.startswith("pindb_"))
    yield from sorted(ours, key=lambda check: (check.__module__, check.__name__))


def _switch(config: Config, seconds: float) -> Findings:
    """Ask the switch as each process does: one that fails cannot turn anything off."""
    switch = config.settings.switch
    if switch is None:
        return
    try:
        ask = rollout.switch_from(switch)
    except PinDbConfigError:  # E005 says so
        return

    def answer() -> tuple[Rollout]:
        try:
            with rollout.asked_within():
                return (rollout.rollout_of(ask(), config.settings.rollout),)
        finally:
            connections.close_all()  # those of the thread that asks

    problem = ask_all({"switch": answer}, seconds)["switch"]
    if isinstance(problem, str):
        yield wrong(
            f"PINDB_SWITCH is {switch!r}, and cannot be asked: {problem}. Nobody can switch reads off.",
            "Start its cache, or correct its function.",
        )


def _rollout(config: Config) -> Findings:
    if not config.settings.enabled:
        yield unwise("PINDB_ENABLED is False: all reads use the masters, and no pin travels.", "Take it out.")
    elif config.rollout[:2] != Rollout()[:2]:
        if config.rollout.is_switched:
            remedy = "Type manage.py pindb_switch on, if all reads are to follow the pins."
            by = "PINDB_SWITCH"
        else:
            remedy = "Take PINDB_MODE and PINDB_REPLICA_SHARE out, if all reads are to follow the pins."
            by = "the settings"
        yield unwise(f"Reads from replicas: {config.rollout}, says {by}.", remedy)
