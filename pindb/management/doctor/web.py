"""The web side: the views, the place of the middleware, and the keys that sign cookies."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import get_resolver
from django.utils.crypto import salted_hmac

from pindb.exceptions import first_line
from pindb.management.doctor.findings import Findings, ok, wrong
from pindb.web.checks import check_middleware

SALT: Final = "pindb.doctor"


def web() -> Findings:
    """Say what the system checks do not: whether the views can be imported, and by which key cookies are signed."""
    try:
        get_resolver().url_patterns  # noqa: B018 - imports them
    except Exception as error:
        yield wrong(
            f"The views cannot be imported: {first_line(error)}.",
            f'Type manage.py shell -c "import {settings.ROOT_URLCONF}" to see where.',
        )
    if not check_middleware():
        yield ok(f"PinDbMiddleware is the first of {len(settings.MIDDLEWARE)} in MIDDLEWARE.")
    try:
        signing, *others = map(fingerprint, keys())
    except ImproperlyConfigured as error:
        yield wrong(f"Cookies cannot be signed: {first_line(error)}.", "Write a SECRET_KEY.")
        return
    also = f" It also reads those of {len(others)} in SECRET_KEY_FALLBACKS: {', '.join(others)}." if others else ""
    yield ok(
        f"This process signs cookies with the SECRET_KEY of fingerprint {signing}.{also} "
        "All web processes must have the same: compare by this command on each host."
    )


def keys() -> list[str]:
    """Return the keys that cookies are read with, the one that signs them first.

    Raises Django's `ImproperlyConfigured` where there is none.
    """
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def fingerprint(key: str) -> str:
    """Return eight characters by which two keys can be compared, and neither can be guessed."""
    return salted_hmac(SALT, "", secret=key, algorithm="sha256").hexdigest()[:8]
