"""The signed cookie: a carrier from one request of a client to the next."""

from __future__ import annotations

import math
import time
import zlib
from typing import Any, Final, cast

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponseBase

from pindb.config.database_sets import Config, current_config
from pindb.core import codec
from pindb.core.pins import NOTHING, PinSet
from pindb.core.unit_of_work import UnitOfWork
from pindb.propagation.carriers import Carrier
from pindb.propagation.handoff import pins_to_hand_on

SALT: Final = "pindb.middleware"
MAX_COOKIE_BYTES: Final = 2 * codec.MAX_BYTES
"""The longest cookie of pindb, signed and in base64. A longer one is ignored."""

COOKIE: Final = Carrier("cookie", "request", unknown_sets_pin_all=False)
"""A cookie may come from another deployment on the same domain, so a DB set unknown here is handed on, no more."""


def read(request: HttpRequest, config: Config) -> PinSet:
    """Return the pins of the request's cookie that still hold; nothing where pindb did not sign it."""
    cookie = request.COOKIES.get(config.settings.pinning_cookie)
    if not cookie or len(cookie) > MAX_COOKIE_BYTES:
        return NOTHING
    try:
        text = Signer(salt=SALT).unsign_object(cookie)
    except (BadSignature, ValueError, zlib.error):
        return NOTHING
    return COOKIE.read(text, config, time.time())


def pins_to_set(unit: UnitOfWork, received: PinSet) -> PinSet:
    """Return the pins for a new cookie; nothing where the one that came in says the same."""
    config = current_config()
    if not unit.newly_pinned and unit.inherited == received and not config.settings.monotonic_reads:
        return NOTHING
    pins = pins_to_hand_on(config, unit, time.time())
    return NOTHING if pins.join(received) == received else pins


def write(response: HttpResponseBase, pins: PinSet) -> None:
    """Set the cookie of `response` to `pins`; it lapses with the last of them."""
    settings = current_config().settings
    response.set_cookie(
        settings.pinning_cookie,
        Signer(salt=SALT).sign_object(codec.encode(pins)),
        max_age=math.ceil(pins.end - time.time()),
        path=settings.pinning_cookie_path,
        domain=settings.pinning_cookie_domain,
        secure=settings.pinning_cookie_secure,
        httponly=settings.pinning_cookie_httponly,
        samesite=cast("Any", settings.pinning_cookie_samesite),
    )
