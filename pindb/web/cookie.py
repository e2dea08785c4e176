"""The signed cookies: a carrier from one request of a client to the next.

Responses to overlapping requests reach a browser in any order, and a cookie replaces one of the same name. So each
response that hands on something new sets a cookie with a name of its own, which a hash of its value makes. It holds all
pins that came in, joined with the new ones; then the response deletes exactly the cookies that came in. A response that
comes late can thus take away nothing but what its own cookie holds, too.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import Any, Final, NamedTuple, cast

from django.http import HttpRequest, HttpResponseBase

from pindb.config.database_sets import Config, current_config
from pindb.core import codec
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.carriers import MAX_SIGNED_BYTES, Carrier, Signed
from pindb.propagation.handoff import pins_to_hand_on
from pindb.web.overflow import has_answered_often

MAX_COOKIES: Final = 2
"""With more cookies than this coming in, a response replaces them by one, even if it adds nothing."""

COOKIE: Final = Carrier("cookie", "request", unknown_sets_pin_all=False)
"""A cookie may come from another deployment on the same domain, so a DB set unknown here is handed on, no more."""
SALT: Final = "pindb.middleware"
SIGNED: Final = Signed(SALT, COOKIE.name)


class Received(NamedTuple):
    """The cookies of one request: their pins, joined, and the names to delete once a new cookie holds all of it."""

    pins: PinSet
    replaceable: tuple[str, ...]
    deletes_nothing: bool
    """Whether the client keeps deleted cookies and sends them back empty, as Django's test client does."""


NO_COOKIES: Final = Received(NOTHING, (), deletes_nothing=False)

MAX_FOREIGN: Final = 8
"""An undamaged cookie that this site has not signed stays: another site of the domain has, or another port of the host.

With more of them than this all are deleted. So the Cookie header stays short, whatever they are.
"""

MAX_EMPTY: Final = 8
"""A client that sends back more empty cookies of pindb than this gets one cookie, always of the same name."""


def read(request: HttpRequest, config: Config) -> Received:
    """Return the pins of the request's cookies that still hold; nothing of cookies that pindb did not sign."""
    base = config.settings.pinning_cookie
    prefix = f"{base}."
    values = {name: value for name, value in request.COOKIES.items() if name == base or name.startswith(prefix)}
    if not values:
        return NO_COOKIES
    now, pins = time.time(), NOTHING
    replaceable: list[str] = []
    foreign: list[str] = []
    for name, value in values.items():
        text = SIGNED.text_of(value)
        # The text of a newer pindb holds more than this one can join: its cookie stays.
        if not codec.is_newer(text) and name != base:
            is_foreign = text is None and name == _name(base, value) and len(value) <= MAX_SIGNED_BYTES
            (foreign if is_foreign else replaceable).append(name)
        if text is not None:
            pins = pins.join(COOKIE.read(text, config, now))
    if len(foreign) > MAX_FOREIGN:
        replaceable += foreign
    # One empty cookie may be anybody's garbage: it must not end the protection of overlapping responses.
    empty = list(values.values()).count("")
    is_test_client = hasattr(request, "_dont_enforce_csrf_checks")
    return Received(pins, tuple(replaceable), deletes_nothing=empty > (0 if is_test_client else MAX_EMPTY))


def pins_to_set(request: HttpRequest, response: HttpResponseBase, unit: UnitOfWork, received: Received) -> PinSet:
    """Return the pins for a new cookie; nothing where the cookies that came in say the same, and are few."""
    config = current_config()
    only_reads = not unit.newly_pinned and unit.inherited == received.pins
    many = len(received.replaceable) > MAX_COOKIES
    # A response that a shared cache may keep hands on no reads. Without monotonic reads no response does.
    if only_reads and (is_public(response) or not (many or config.settings.monotonic_reads)):
        return NOTHING
    now = time.time()
    pins = pins_to_hand_on(config, unit, now)
    if not many and pins.join(received.pins) == received.pins:
        return NOTHING
    if pins.positioned and has_answered_often(request):
        # Many overlapping requests of one client: cookies that lapse soon and are mostly the same do not fill its jar.
        pins = pins.as_timed(math.ceil(now + config.settings.pinning_seconds))
    return pins


def is_public(response: HttpResponseBase) -> bool:
    """Return whether a shared cache may keep `response`, and hand it to others."""
    control = response.get("Cache-Control", "").lower()
    return "public" in control or "s-maxage" in control


def write(response: HttpResponseBase, pins: PinSet, received: Received) -> None:
    """Set a cookie of `response` that holds `pins` and lapses with the last of them, and delete those that came in."""
    base = current_config().settings.pinning_cookie
    value = SIGNED.sign(codec.encode(pins))
    if received.deletes_nothing:
        _set(response, base, value, pins)
        return
    name = _name(base, value)
    _set(response, name, value, pins)
    for old in received.replaceable:
        if old != name:
            _set(response, old, "", NOTHING)


def _name(base: str, value: str) -> str:
    return f"{base}.{hashlib.sha256(value.encode()).hexdigest()[:8]}"


def _set(response: HttpResponseBase, name: str, value: str, pins: PinSet) -> None:
    """Set a cookie, or delete it: browsers delete one only if all attributes are those it was set with."""
    settings = current_config().settings
    response.set_cookie(
        name,
        value,
        max_age=max(0, math.ceil(pins.end - time.time())),
        path=settings.pinning_cookie_path,
        domain=settings.pinning_cookie_domain,
        secure=settings.pinning_cookie_secure,
        httponly=settings.pinning_cookie_httponly,
        samesite=cast("Any", settings.pinning_cookie_samesite),
    )
