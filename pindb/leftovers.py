"""System checks of what another replica router has left behind: settings, middleware, names in code, old aliases.

None of it fails: pindb does not read these settings, the names do nothing any more, and the aliases read old data.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from django.conf import settings
from django.core.checks import Warning

from pindb.adapters.loaded import load_views
from pindb.config.checks import Check, Findings, config_in_force
from pindb.config.database_sets import Config

SETS: Final = 'DATABASE_SETS = {"default": [{"HOST": ..., "ALIAS": ...}]}'


@dataclass(frozen=True, slots=True)
class OtherRouter:
    """A package that pindb replaces: what it reads and offers, and what to write instead ("" for nothing)."""

    title: str
    package: str
    prefix: str
    settings: Mapping[str, str]
    names: Mapping[str, Mapping[str, str]]
    """By module."""

    def modules(self) -> list[str]:
        """Return its modules that this process has loaded."""
        return [name for name in sys.modules if name.partition(".")[0] == self.package]


MASTER: Final = 'pindb.master("default")'
FORCED_MASTER: Final = f'{MASTER}, or pindb.pinned("default") where it writes as well'
"""A state of django_replicated ends with its view or block. A write inside `master()` pins nothing."""
FORCED_SLAVE: Final = 'pindb.unpinned_replica("default") where old data will do in spite of pins'
SLAVE_VIEW: Final = f"nothing on a view that only reads, or {FORCED_SLAVE}"
EACH_UNIT: Final = "nothing: each request and task starts with nothing pinned"

OTHERS: Final = (
    OtherRouter(
        "django-multidb-router",
        "multidb",
        "MULTIDB_",
        {
            "REPLICA_DATABASES": SETS,
            "SLAVE_DATABASES": SETS,
            "MULTIDB_PINNING_SECONDS": "PINDB_PINNING_SECONDS",
            **{f"MULTIDB_PINNING_COOKIE{end}": f"PINDB_PINNING_COOKIE{end}" for end in ("", "_HTTPONLY", "_SAMESITE")},
            "MULTIDB_PINNING_COOKIE_SECURE": "PINDB_PINNING_COOKIE_SECURE",
        },
        {
            "multidb": {"get_replica": 'pindb.get_replica("default")', "get_slave": 'pindb.get_replica("default")'},
            "multidb.pinning": {
                "use_primary_db": f'{MASTER}, or pindb.pinned("default") where a write follows',
                "use_master": f'{MASTER}, or pindb.pinned("default") where a write follows',
                "db_write": "nothing: the write pins",
                "mark_as_write": "nothing: the write pins",
                "pin_this_thread": 'pindb.pin("default")',
                "unpin_this_thread": EACH_UNIT,
                "this_thread_is_pinned": 'pindb.is_pinned("default")',
            },
        },
    ),
    OtherRouter(
        "django_replicated",
        "django_replicated",
        "REPLICATED_",
        {
            "REPLICATED_DATABASE_SLAVES": SETS,
            "REPLICATED_FORCE_MASTER_COOKIE_MAX_AGE": "PINDB_PINNING_SECONDS",
            "REPLICATED_FORCE_MASTER_COOKIE_NAME": "PINDB_PINNING_COOKIE",
            "REPLICATED_DATABASE_DOWNTIME": "PINDB_REPLICA_RETRY_SECONDS",
        },
        {
            "django_replicated.decorators": {
                "use_master": FORCED_MASTER,
                "use_slave": SLAVE_VIEW,
                "use_state": f'for "master" {FORCED_MASTER}, for "slave" {SLAVE_VIEW}',
            },
            "django_replicated.utils": {
                "routers": f'for use_state("master") {FORCED_MASTER}, for use_state("slave") {FORCED_SLAVE}'
            },
        },
    ),
)
LISTS: Final = ("REPLICA_DATABASES", "SLAVE_DATABASES", "REPLICATED_DATABASE_SLAVES")
"""The settings that list aliases of replicas."""


def check_leftovers(**_: Any) -> Findings:
    """W029: settings, middleware or names of another replica router, which do nothing beside pindb's."""
    if config_in_force() is None:
        return []
    load_views()
    return [finding for other in OTHERS for finding in (*_settings(other), *_middleware(other), *_names(other))]


def _settings(other: OtherRouter) -> Iterator[Warning]:
    found = sorted(name for name in dir(settings) if name in other.settings or name.startswith(other.prefix))
    if found:
        what = f"{', '.join(found)} {_is_are(found)} of {other.title}: pindb does not read {_it_them(found)}."
        instead = [f"{name}: {other.settings[name]}" for name in found if name in other.settings]
        yield _warning(what, f"Take {_it_them(found)} out.{_instead(instead)}")


def _middleware(other: OtherRouter) -> Iterator[Warning]:
    for path in settings.MIDDLEWARE:
        if path.partition(".")[0] == other.package:
            what = f"MIDDLEWARE has {path!r}, which pins nothing in pindb."
            yield _warning(what, "Take it out: pindb.middleware.PinDbMiddleware sets the cookie.")


def _names(other: OtherRouter) -> Iterator[Warning]:
    """Tell which modules of the project use names that need the other router."""
    theirs = {
        id(vars(sys.modules[module])[name]): (name, instead)
        for module, names in other.names.items()
        if module in other.modules()
        for name, instead in names.items()
        if name in vars(sys.modules[module])
    }
    for module in _modules_beside(other) if theirs else ():
        used = dict(theirs[id(value)] for value in list(vars(module).values()) if id(value) in theirs)
        if used:
            what = f"{module.__name__} uses {', '.join(sorted(used))} of {other.title}: without its router"
            instead = [f"{name}: {used[name]}" for name in sorted(used)]
            yield _warning(f"{what} {'they do' if len(used) > 1 else 'it does'} nothing.", _instead(instead).strip())


def _modules_beside(other: OtherRouter) -> list[ModuleType]:
    packages = [name for name, module in sys.modules.items() if isinstance(module, ModuleType)]
    return [sys.modules[name] for name in sorted(packages) if name.partition(".")[0] != other.package]


def _warning(what: str, hint: str) -> Warning:
    return Warning(what, hint=hint, id="pindb.W029")


def _is_are(names: list[str]) -> str:
    return "are settings" if len(names) > 1 else "is a setting"


def _it_them(names: list[str]) -> str:
    return "them" if len(names) > 1 else "it"


def _instead(lines: Iterable[str]) -> str:
    text = "; ".join(lines)
    return f" Write instead: {text}." if text else ""


def check_old_aliases(**_: Any) -> Findings:
    """W030: an alias that looks like a replica of a DB set, and belongs to none."""
    config = config_in_force()
    findings: Findings = []
    for alias in settings.DATABASES if config else ():
        if config and alias not in config.owners and (found := _replica_of(config, alias)):
            master, why = found
            what = (
                f"{alias!r} in DATABASES looks like a replica of {master!r} ({why}), but belongs to no DB set: whoever "
                "reads there may read old data, whatever is pinned."
            )
            hint = (
                f'Write "ALIAS": "{alias}" into its entry in DATABASE_SETS["{master}"], and take it out of DATABASES; '
                'or keep it for reports that may be old, with SILENCED_SYSTEM_CHECKS = ["pindb.W030"].'
            )
            findings.append(Warning(what, hint=hint, id="pindb.W030"))
    return findings


def _replica_of(config: Config, alias: str) -> tuple[str, str] | None:
    """Return the master that `alias` seems to follow, and what says so."""
    entry = settings.DATABASES[alias]
    mirrored = (entry.get("TEST") or {}).get("MIRROR")
    if (owner := config.owners.get(str(mirrored))) is not None:
        return owner.name, f"TEST MIRROR is {mirrored!r}"
    for name, db_set in config.sets.items():
        if any(_same(entry, settings.DATABASES.get(replica, {}), *PLACE) for replica in db_set.replicas):
            return name, "a replica of this DB set has its HOST, PORT and NAME"
        if not _same(entry, settings.DATABASES.get(name, {}), "ENGINE", "NAME"):
            continue
        if listed := next((setting for setting in LISTS if alias in (getattr(settings, setting, None) or ())), None):
            return name, f"{listed} names it"
        if REPLICA.search(alias):
            return name, "by its name, and its NAME is the master's"
    return None


PLACE: Final = ("ENGINE", "HOST", "PORT", "NAME")
REPLICA: Final = re.compile(
    r"(replica|slave|standby|follower|reader|secondary|(^|[-_])(ro|read)([-_\d]|$))", re.IGNORECASE
)


def _same(entry: Mapping[str, Any], other: Mapping[str, Any], *keys: str) -> bool:
    """Return whether two entries have the same values, and a NAME that two servers could share."""
    named = entry.get("NAME") not in {None, "", ":memory:"}
    return named and all(str(entry.get(key) or "") == str(other.get(key) or "") for key in keys)


CHECKS: Final[tuple[Check, ...]] = (check_leftovers, check_old_aliases)
