"""`PINDB_TOKEN_HEADER`: a carrier for API clients without cookies, from a response to the client's next requests."""

from __future__ import annotations

import time
from functools import reduce
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from pindb.config.database_sets import Config
from pindb.core import codec
from pindb.core.pins import NOTHING, PinSet
from pindb.propagation.tokens import SIGNED, TOKEN


def read(request: HttpRequest, config: Config) -> PinSet:
    """Return the pins of the request's header, which may hold several tokens, with commas between them."""
    name = config.settings.token_header
    value = None if name is None else request.headers.get(name)
    if not value:
        return NOTHING
    now = time.time()
    texts = [SIGNED.text_of(token.strip()) for token in value.split(",")[:MAX_TOKENS]]
    return reduce(PinSet.join, (TOKEN.read(text, config, now) for text in texts if text is not None), NOTHING)


MAX_TOKENS: Final = 20
"""So many tokens of a header are read: each costs a signature."""


def write(response: HttpResponseBase, pins: PinSet, config: Config) -> None:
    """Set the header of `response`, if there are pins."""
    name = config.settings.token_header
    if name is not None and pins:
        response.headers[name] = SIGNED.sign(codec.encode(pins))
