"""Typed settings: read from Django's settings at first use, again after every `override_settings`.

Nothing here runs when a settings module imports pindb. A read costs an attribute of a frozen object, not a look-up in
Django's lazy settings (a missing setting costs 4 us there, routing runs for every query).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from django.conf import settings as django_settings

from pindb.config.rollout import SWITCHES, Mode, Rollout
from pindb.config.tables import MASTER_ONLY, SEPARATE_PINS
from pindb.exceptions import PinDbConfigError, nearest

MAX_PINNING_SECONDS: Final = 7 * 86400
"""No pin outlives a week: a time further off in a cookie or a message is damage, not a pin."""


def _boolean(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise PinDbConfigError(f"{name} is {value!r}.", "Write True or False.")
    return value


def _seconds(name: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 < value <= MAX_PINNING_SECONDS:  # type: ignore[arg-type,operator]
        raise PinDbConfigError(f"{name} is {value!r}.", "Write a number of seconds, over 0 and at most a week.")
    return value  # type: ignore[return-value]


def _seconds_or_none(name: str, value: object) -> float | None:
    return None if value is None else _seconds(name, value)


def _seconds_or_zero(name: str, value: object) -> float:
    if type(value) in (int, float) and value == 0:
        return 0.0
    try:
        return _seconds(name, value)
    except PinDbConfigError:
        raise PinDbConfigError(
            f"{name} is {value!r}.", "Write a number of seconds, at most a week; 0: no wait."
        ) from None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise PinDbConfigError(f"{name} is {value!r}.", "Write a string that is not empty.")
    return value


def _cookie_name(name: str, value: object) -> str:
    taken = (django_settings.SESSION_COOKIE_NAME, django_settings.CSRF_COOKIE_NAME)
    if not isinstance(value, str) or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", value, re.ASCII) or value in taken:
        raise PinDbConfigError(
            f"{name} is {value!r}.", 'Write a name for a cookie that has none yet, "pindb_pins" say.'
        )
    return value


def _text_or_none(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _one_of(*allowed: object) -> Callable[[str, object], Any]:
    def check(name: str, value: object) -> object:
        if value not in allowed:
            question = nearest(value, map(str, allowed))
            choices = f"Write one of {', '.join(map(repr, allowed))}."
            raise PinDbConfigError(f"{name} is {value!r}.", f"{question} {choices}" if question else choices)
        return value

    return check


def _samesite(name: str, value: object) -> str | None:
    # False is Django's way to say "send no SameSite" in its own cookie settings.
    return _one_of("Lax", "Strict", "None", None)(name, None if value is False else value)  # type: ignore[no-any-return]


def _routers(name: str, value: object) -> tuple[object, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise PinDbConfigError(f"{name} is {value!r}.", 'Write a list of routers, e.g. ["shop.routers.ShopRouter"].')
    return tuple(value)


def _labels(name: str, value: object) -> tuple[str, ...]:
    listed = isinstance(value, list | tuple | set | frozenset)
    entries: tuple[Any, ...] = tuple(value) if listed else ()  # type: ignore[arg-type]
    if not listed or not all(isinstance(entry, str) and re.fullmatch(r"\w+(\.\w+)?", entry) for entry in entries):
        raise PinDbConfigError(
            f"{name} is {value!r}.", 'Write app labels and models, e.g. ["sessions", "shop.PageView"].'
        )
    return entries


def _header(name: str, value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9-]+", value)):
        raise PinDbConfigError(f"{name} is {value!r}.", 'Write the name of a header, e.g. "X-Pindb-Token".')
    return value


def _cache(name: str, value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"cache:.+", value)):
        raise PinDbConfigError(f"{name} is {value!r}.", 'Write a cache, e.g. "cache:default".')
    return value


def _function(name: str, value: object) -> object:
    if value is not None and not callable(value) and not (isinstance(value, str) and re.search(r".\..", value)):
        raise PinDbConfigError(f"{name} is {value!r}.", 'Write a function or its path, e.g. "shop.api.owner_of".')
    return value


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise PinDbConfigError(f"{name} is {value!r}.", "Write a share from 0 to 1; 0.25: a quarter.")
    return value


def _switch(name: str, value: object) -> object:
    if value is not None and not callable(value) and not (isinstance(value, str) and re.search(r".[.:].", value)):
        raise PinDbConfigError(f"{name} is {value!r}.", SWITCHES)
    return value


def _report(name: str, value: object) -> str | None:
    if value is None or (isinstance(value, str | os.PathLike) and str(value)):
        return None if value is None else os.fsdecode(value)
    raise PinDbConfigError(f"{name} is {value!r}.", 'Write the path of a directory, or "cache:default".')


def _setting(default: Any, check: Callable[[str, object], Any]) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `PINDB_*` settings, checked; a field is its setting's name in lower case, without the prefix."""

    enabled: bool = _setting(True, _boolean)
    mode: str = _setting("on", _one_of(*(mode.value for mode in Mode)))
    replica_share: float = _setting(1.0, _share)
    switch: object = _setting(None, _switch)
    delegate_routers: tuple[object, ...] = _setting((), _routers)
    pinning_seconds: float = _setting(15, _seconds)
    consistency: str = _setting("time", _one_of("time", "position"))
    position_seconds: float = _setting(86400, _seconds)
    position_wait_seconds: float = _setting(0.05, _seconds_or_zero)
    monotonic_reads: bool = _setting(False, _boolean)
    pinning_cookie: str = _setting("pindb_pinned_set", _cookie_name)
    pinning_cookie_secure: bool = _setting(False, _boolean)
    pinning_cookie_httponly: bool = _setting(True, _boolean)
    pinning_cookie_samesite: str | None = _setting("Lax", _samesite)
    pinning_cookie_domain: str | None = _setting(None, _text_or_none)
    pinning_cookie_path: str = _setting("/", _text)
    token_header: str | None = _setting(None, _header)
    user_pins: str | None = _setting(None, _cache)
    user_pins_key: object = _setting(None, _function)
    reads_in_atomic: str = _setting("master", _one_of("master", "replica"))
    separate_pins: tuple[str, ...] = _setting(SEPARATE_PINS, _labels)
    master_only: tuple[str, ...] = _setting(MASTER_ONLY, _labels)
    missing_header: str = _setting("replica", _one_of("replica", "master"))
    publish_in_atomic: str = _setting("warn", _one_of("allow", "warn", "error"))
    max_lag_seconds: float | None = _setting(None, _seconds_or_none)
    health_seconds: float = _setting(5, _seconds)
    replica_retry_seconds: float = _setting(10, _seconds)
    rows_belong_to_master: bool = _setting(True, _boolean)
    retry_on_master: bool = _setting(True, _boolean)
    opentelemetry: bool = _setting(False, _boolean)
    report: str | None = _setting(None, _report)

    # Looked up for each statement on a master, and so no properties.
    positions: bool = field(init=False)
    """Whether pins are to carry positions, where the database can tell them."""
    master_in_atomic: bool = field(init=False)
    """Whether reads inside `atomic()` on a master use it."""

    rollout: Rollout = field(init=False)
    """What the settings say about it; a switch may say something else."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rollout", Rollout(Mode(self.mode), self.replica_share, self.switch is not None))
        object.__setattr__(self, "positions", self.consistency == "position")
        object.__setattr__(self, "master_in_atomic", self.reads_in_atomic == "master")


FIELDS: Final = tuple(setting for setting in fields(Settings) if setting.init)


NAMES: Final = frozenset(f"PINDB_{setting.name.upper()}" for setting in FIELDS)
"""Every `PINDB_*` setting there is."""


def load_settings() -> Settings:
    """Read the settings as they are now; raises `PinDbConfigError` for a value that cannot be used."""
    values: dict[str, Any] = {
        "pinning_cookie_secure": django_settings.SESSION_COOKIE_SECURE,
        "pinning_cookie_domain": django_settings.SESSION_COOKIE_DOMAIN,
        "pinning_cookie_path": django_settings.SESSION_COOKIE_PATH,
    }
    for setting in FIELDS:
        name = f"PINDB_{setting.name.upper()}"
        if hasattr(django_settings, name):
            values[setting.name] = setting.metadata["check"](name, getattr(django_settings, name))
    legacy = getattr(django_settings, "DATABASE_ROUTER_DELEGATE", None)  # 0.1.12's name for one delegate
    if legacy is not None:
        routers = _routers("DATABASE_ROUTER_DELEGATE", legacy)
        values["delegate_routers"] = (*values.get("delegate_routers", ()), *routers)
    return Settings(**values)


REQUIRED: Final = {
    "MASTER_DATABASES": '{"default": {"ENGINE": ..., "HOST": ...}}',
    "DATABASE_SETS": '{"default": [{"HOST": "replica-1"}]}',
}
"""The settings that there have to be, with an example of each."""


def database_dict(name: str, value: object) -> Mapping[str, Any]:
    """Return `value`, that of a required setting; raises `PinDbConfigError` where it is missing or no such dict."""
    if not isinstance(value, Mapping):
        found = "is missing from the settings" if value is None else f"is {value!r}, not a dict"
        raise PinDbConfigError(f"{name} {found}.", f"Write {name} = {REQUIRED[name]} in the settings module.")
    for alias in value:
        if not isinstance(alias, str) or alias in ("", "*"):
            raise PinDbConfigError(f"{name} has the key {alias!r}.", "Write an alias there, a string but '' and '*'.")
    return value
