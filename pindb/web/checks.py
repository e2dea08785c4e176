"""System checks of the web side: the middleware, and sessions."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django.core.checks import Error, Warning
from django.utils.module_loading import import_string

from pindb.config.checks import Check, Findings, config_in_force
from pindb.config.rollout import BACKENDS, CACHE_PREFIX, seen_by_one_process, unusable_backend
from pindb.exceptions import did_you_mean
from pindb.web.middleware import PinDbMiddleware

MIDDLEWARE: Final = "pindb.middleware.PinDbMiddleware"
SESSIONS: Final = "django.contrib.sessions.middleware.SessionMiddleware"


def check_middleware(**_: Any) -> Findings:
    """W002, W003, W022: the middleware is missing, not the first, or there twice."""
    hint = f'Write MIDDLEWARE = ["{MIDDLEWARE}", ...], ours first.'
    middleware = list(settings.MIDDLEWARE)
    ours = [index for index, path in enumerate(middleware) if _is_ours(path)]
    if not ours:
        message = "PinDbMiddleware is not in MIDDLEWARE: a client's next request may not see what it has just written."
        return [Warning(message, hint=hint, id="pindb.W002")]
    findings: Findings = []
    if ours[0] != 0:
        message = f"{middleware[0]} comes before PinDbMiddleware: what it writes is not pinned for the next request."
        findings.append(Warning(message, hint=hint, id="pindb.W003"))
    if len(ours) > 1:
        message = (
            f"PinDbMiddleware is {len(ours)} times in MIDDLEWARE: each one opens a unit of work of its own, so "
            "that middleware between them reads replicas although the view has written."
        )
        findings.append(Warning(message, hint="Leave the first one only.", id="pindb.W022"))
    return findings


def check_sessions(**_: Any) -> Findings:
    """W021: `SESSION_SAVE_EVERY_REQUEST` writes to the master, and pins, with each request."""
    config = config_in_force()
    if config is None or not config.settings.enabled or not any(db_set.replicas for db_set in config.sets.values()):
        return []
    if not settings.SESSION_SAVE_EVERY_REQUEST or SESSIONS not in settings.MIDDLEWARE or not _sessions_in_database():
        return []
    message = (
        "SESSION_SAVE_EVERY_REQUEST writes each visitor's session to the master with each request: that costs an "
        "UPDATE and a cookie a request, and the next request reads the session on the master."
    )
    hint = (
        "Take SESSION_SAVE_EVERY_REQUEST out, or keep sessions in a cache: SESSION_ENGINE = "
        '"django.contrib.sessions.backends.cache".'
    )
    return [Warning(message, hint=hint, id="pindb.W021")]


def check_user_pins(**_: Any) -> Findings:
    """E006, E009, W027: the cache of `PINDB_USER_PINS`, or the function of its key, is missing; it is private."""
    config = config_in_force()
    if config is None or config.settings.user_pins is None:
        return []
    findings: Findings = []
    if isinstance(key := config.settings.user_pins_key, str):
        try:
            import_string(key)
        except ImportError as error:
            message = f"PINDB_USER_PINS_KEY is {key!r}, which cannot be imported ({error}): no pins of users are kept."
            hint = 'Write a function or its path, e.g. "shop.api.owner_of".'
            findings.append(Error(message, hint=hint, id="pindb.E009"))
    alias = config.settings.user_pins.removeprefix(CACHE_PREFIX)
    if alias not in caches.settings:
        message = f"PINDB_USER_PINS names the cache {alias!r}, which CACHES does not have."
        findings.append(Error(message, hint=did_you_mean(alias, caches.settings), id="pindb.E006"))
    elif problem := unusable_backend("PINDB_USER_PINS", alias):
        findings.append(Error(problem, hint=BACKENDS, id="pindb.E006"))
    elif seen_by_one_process(alias):
        message = f"PINDB_USER_PINS names the cache {alias!r}, which no other process sees."
        hint = "Name a cache that is shared: Redis, Memcached, database, files."
        findings.append(Warning(message, hint=hint, id="pindb.W027"))
    return findings


def _is_ours(path: str) -> bool:
    if path == MIDDLEWARE:
        return True
    try:
        middleware = import_string(path)
    except ImportError:  # Django says so when it handles the first request
        return False
    return isinstance(middleware, type) and issubclass(middleware, PinDbMiddleware)


def _sessions_in_database() -> bool:
    """Return whether saving a session is a query: the store has a model, that of `cached_db` too."""
    try:
        store = import_module(settings.SESSION_ENGINE).SessionStore
    except ImportError:
        return False
    return hasattr(store, "get_model_class")


CHECKS: Final[tuple[Check, ...]] = (check_middleware, check_sessions, check_user_pins)
