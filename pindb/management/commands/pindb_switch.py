"""`manage.py pindb_switch off`: which reads may go to replicas, in all running processes, without a deploy."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pindb.config.database_sets import current_config
from pindb.config.rollout import (
    CACHE_KEY,
    CACHE_PREFIX,
    NEVER_SET,
    SETTINGS,
    rollout_of,
    seen_by_one_process,
    switch_from,
)
from pindb.exceptions import PinDbConfigError, first_line


class Command(BaseCommand):
    """Sets the value in the cache that `PINDB_SWITCH` names, or prints it."""

    help = (
        "Says which reads may go to replicas: on (all), off (none), shadow (none, but they are counted), or a share "
        'such as 25%; "settings" leaves it to PINDB_MODE and PINDB_REPLICA_SHARE again. Each running process follows '
        "within 5 seconds. Without an argument: prints what the switch says. Pins are made and carried all the time."
    )
    # For the bad day: what is wrong elsewhere in the project must not keep the switch from being turned.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("state", nargs="?", help="on, off, shadow, a share such as 25%%, or settings")

    def handle(self, *_args: Any, state: str | None, **_options: Any) -> None:
        try:
            settings = current_config().settings
            switch = settings.switch
            if not isinstance(switch, str) or not switch.startswith(CACHE_PREFIX):
                raise CommandError(f'PINDB_SWITCH is {switch!r}. This command needs PINDB_SWITCH = "cache:default".')
            ask, alias = switch_from(switch), switch.removeprefix(CACHE_PREFIX)
        except PinDbConfigError as error:
            raise CommandError(str(error)) from error
        if state is not None:
            try:
                rollout_of(state, settings.rollout)
            except ValueError:
                raise CommandError(f"{state!r} is no state. Type on, off, shadow, settings, or a share: 25%.") from None
        try:
            is_private = seen_by_one_process(alias)
            if state is not None and not is_private:
                caches[alias].set(CACHE_KEY, state, timeout=None)
            said = ask()
        except Exception as error:  # each cache has errors of its own
            raise CommandError(
                f"The cache {alias!r}, which PINDB_SWITCH names, cannot be used ({first_line(error)}). Running "
                'processes keep to its last answer. Start it, or start the processes anew with PINDB_MODE = "off".'
            ) from error
        if is_private:
            raise CommandError(
                f"No other process sees the cache {alias!r} ({type(caches[alias]).__name__}). Name another one in "
                "PINDB_SWITCH: Redis, Memcached, the database or files."
            )
        if state is not None and said != state:
            has = "none" if said is NEVER_SET else repr(said)
            raise CommandError(f"The cache {alias!r} did not keep the state: it has {has}. Is it running?")
        text = f"the settings decide: {settings.rollout}" if said in (NEVER_SET, SETTINGS) else str(said)
        self.stdout.write(f"{text}{'' if state is None else ', in every process within 5 seconds'}")
