"""`PINDB_USER_PINS`: keeps the last pins of a user in a cache, for clients that send back neither cookie nor header.

What one device of a user writes, another one reads. `PINDB_USER_PINS_KEY` names a function that says whose request it
is instead: a tenant, an API key, the customer that a webhook is about.

A user is known late: Django's sessions tell when `request.user` is first looked at, and Django REST framework sets it
when its view begins. So `HttpRequest.user` and `auser` are watched from the first request on.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.core.cache import BaseCache, caches
from django.http import HttpRequest
from django.utils.functional import LazyObject, SimpleLazyObject, empty
from django.utils.module_loading import import_string

from pindb import interrupts
from pindb.config.database_sets import current_config
from pindb.config.rollout import CACHE_PREFIX
from pindb.core import codec
from pindb.core.frames import reading_masters
from pindb.core.pins import NOTHING, Origin, PinnedBy, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.exceptions import first_line
from pindb.once import Once
from pindb.propagation.carriers import Carrier

logger: Final = logging.getLogger("pindb")

USER: Final = Carrier("user", "request", unknown_sets_pin_all=False)
ATTRIBUTE: Final = "_pindb_user_pins"


class UserPins:
    """The pins of the user who has sent one request, whose unit of work is `unit`."""

    def __init__(self, request: HttpRequest, unit: UnitOfWork) -> None:
        self._request: Final = request
        self._unit: Final = unit
        self._owner = ""

    def look_up(self, user: object) -> None:
        """Add the pins of `user`, or of what the function of `PINDB_USER_PINS_KEY` names, once it is known."""
        owner = _owner_of(self._request, user)
        if not owner or owner == self._owner:
            return
        self._owner = owner
        pins = _safely(self._kept) or NOTHING
        if pins:
            self._unit.inherit(pins, Origin(PinnedBy.CALLER, USER.name))

    def keep(self, pins: PinSet) -> None:
        """Keep `pins` for the user's next requests, until they lapse."""
        _safely(lambda: self._add(pins))

    def _kept(self) -> PinSet:
        with reading_masters():  # of a cache in a table: the replica lacks the newest pins
            text = _cache().get(_key(self._owner))
        return NOTHING if text is None else USER.read(text, current_config(), time.time())

    def _add(self, pins: PinSet) -> None:
        if not self._owner:
            self.look_up(getattr(self._request, "user", None))
        if not self._owner:
            return
        now = time.time()
        pins = pins.join(self._kept())  # another device may have written meanwhile
        with reading_masters():
            _cache().set(_key(self._owner), codec.encode(pins), timeout=max(1, math.ceil(pins.end - now)))

    def watched(self, user: Any) -> Any:
        """Return `user`, who is looked up now, or, if it is lazy, when it is first looked at."""
        if isinstance(user, LazyObject) and user._wrapped is empty:
            watching: Any = SimpleLazyObject(lambda: self._evaluated(user, watching))
            return watching
        self.look_up(user)
        return user

    def _evaluated(self, user: Any, watching: Any) -> Any:
        getattr(user, "is_authenticated", None)  # evaluates it; a site's own user may be None, too
        attributes = vars(self._request)
        if attributes.get("user") is watching:
            attributes["user"] = user  # the function of `PINDB_USER_PINS_KEY` may ask for it
        self.look_up(user)
        return user._wrapped

    def watched_async(self, auser: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """Return `auser`, a coroutine function, so that its user is looked up."""

        async def watching() -> Any:
            user = await auser()
            await sync_to_async(self.look_up)(user)
            return user

        return watching


def begin(request: HttpRequest, unit: UnitOfWork) -> None:
    """Look for the pins of the user of `request` as soon as it is known.

    Also if pins came with it: they may be of other DB sets, or of the sessions alone, or older positions.
    """
    _watch_requests()
    vars(request)[ATTRIBUTE] = UserPins(request, unit)


def look_up_by_key(request: HttpRequest) -> None:
    """Look for the pins of the one whom the function of `PINDB_USER_PINS_KEY` names: there may be no user."""
    pins = of(request)
    if pins is not None and current_config().settings.user_pins_key is not None:
        pins.look_up(None)


def of(request: HttpRequest) -> UserPins | None:
    """Return what `begin` has begun for this request."""
    found: UserPins | None = vars(request).get(ATTRIBUTE)
    return found


def _owner_of(request: HttpRequest, user: Any) -> str:
    key = current_config().settings.user_pins_key
    if key is None:
        # A site's own user, that of a service say, may have no key: nobody could tell it from another one.
        primary_key = getattr(user, "pk", None) if getattr(user, "is_authenticated", False) else None
        return "" if primary_key is None else f"user {primary_key}"
    try:
        function: Any = import_string(key) if isinstance(key, str) else key
        owner = function(request)
    except interrupts.types:
        raise
    except Exception as error:
        _warn_once("PINDB_USER_PINS_KEY", error)
        return ""
    return "" if owner is None else f"key {owner}"


def _key(owner: str) -> str:
    return f"pindb.user_pins.{hashlib.sha256(owner.encode()).hexdigest()[:32]}"


def _cache() -> BaseCache:
    alias = current_config().settings.user_pins or ""
    return caches[alias.removeprefix(CACHE_PREFIX)]


def _safely(function: Callable[[], PinSet | None]) -> PinSet | None:
    """Call `function`. If the cache fails, the user's pins are not kept, and the request goes on."""
    try:
        return function()
    except interrupts.types:
        raise
    except Exception as error:
        _warn_once("The cache of PINDB_USER_PINS", error)
        return None


_warned: Final = Once()


def _warn_once(what: str, error: Exception) -> None:
    if _warned.first_time(what):
        logger.warning("%s fails (%s): pins of users are not kept. Logged once per process.", what, first_line(error))


class _Watched:
    """An attribute of requests that tells the `UserPins` of a request what it is set to."""

    def __init__(self, name: str, watched: Callable[[UserPins, Any], Any]) -> None:
        self._name: Final = name
        self._watched: Final = watched

    def __get__(self, request: HttpRequest | None, _: type | None = None) -> Any:
        if request is None:
            return self
        try:
            return vars(request)[self._name]
        except KeyError:
            raise AttributeError(f"{type(request).__name__!r} object has no attribute {self._name!r}") from None

    def __set__(self, request: HttpRequest, value: Any) -> None:
        pins = of(request)
        vars(request)[self._name] = value  # the function of `PINDB_USER_PINS_KEY` may ask for it
        if pins is not None:
            vars(request)[self._name] = self._watched(pins, value)

    def __delete__(self, request: HttpRequest) -> None:
        del vars(request)[self._name]


def _watch_requests() -> None:
    if "user" not in vars(HttpRequest):
        HttpRequest.user = _Watched("user", UserPins.watched)  # type: ignore[assignment]
        HttpRequest.auser = _Watched("auser", UserPins.watched_async)  # type: ignore[assignment]
